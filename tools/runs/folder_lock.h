#pragma once

#include <string>
#include <vector>

namespace optotorch::tools {

/// A folder, made if absent, in which one process at a time works: the lock lasts as long as this object, or
/// as the process, however that ends. What marks it is the file `.lock` in the folder, which is gone
/// afterwards (a killed process leaves it, and it means nothing then). A folder that was made for this, and
/// in which nothing was put, is gone afterwards, too.
class FolderLock {
 public:
  /// `folder` is what the option --out names. Throws c10::ValueError if it can't be made or written to, or if
  /// it is still locked after `patience` seconds, by `other`: "another training".
  FolderLock(std::string folder, const std::string& other, double patience = 0);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// True if it holds nothing but the lock, files of the given names, and parts that killed writers of
  /// `parts_of` left.
  bool is_empty_but_for(const std::vector<std::string>& names,
                        const std::vector<std::string>& parts_of = {}) const;

  /// Removes the parts that killed writers of these files left behind.
  void remove_parts(const std::vector<std::string>& names) const;

 private:
  void make_folder();
  void remove_made();
  bool try_lock();

  std::string folder_;
  std::vector<std::string> made_;  ///< folders, the outermost first
  int file_ = -1;
};

}  // namespace optotorch::tools
