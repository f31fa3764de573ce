#pragma once

// Files in a folder for each class, found in torchvision's order.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace optotorch {

/// Files and their classes, in the order of the data set.
struct LabelledFiles {
  std::vector<std::string> paths;
  std::vector<int64_t> targets;

  void add(std::string path, int64_t target);
};

/// Which files count. `text` says it in errors.
struct FileFilter {
  std::function<bool(const std::string& path)> accepts;
  std::string text;
};

/// Paths that end in one of the extensions (".jpg"); capitals in the path, not in the extension, are made
/// small.
FileFilter ends_in(std::vector<std::string> extensions);

/// The sorted names of the folders in `folder`, links to folders among them. Throws c10::ValueError in the
/// name of `set` if it cannot be read or has none; `remedy` says what to do then.
std::vector<std::string> find_class_folders(const std::string& set, const std::string& folder,
                                            const std::string& remedy = {});

/// How many files and folders lie in `folder`. Throws c10::ValueError if it cannot be read.
int64_t count_entries(const std::string& set, const std::string& folder);

/// The accepted files at any depth below `folder`/CLASS, for each of the classes, which are numbered as they
/// come. Within a class: folders by their sorted paths, the class's own first, and in each its sorted files.
/// Links to folders are followed.
///
/// Throws c10::ValueError in the name of `set` if a folder cannot be read, if a link leads back to a folder
/// that it lies in, and, unless `allow_empty`, for classes without a file.
LabelledFiles list_class_files(const std::string& set, const std::string& folder,
                               const std::vector<std::string>& classes, const FileFilter& filter,
                               bool allow_empty = false);

}  // namespace optotorch
