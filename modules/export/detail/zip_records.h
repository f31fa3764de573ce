#pragma once

// The records of a zip file that stand in it as they are.

#include <optotorch/core/input_file.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace optotorch {

/// Reads the directory of a zip file, with the 64-bit extension (APPNOTE.TXT 6.3.10 of PKWARE), and such of
/// its records as are stored without compression, as LibTorch stores all data. The file is not trusted: every
/// offset and size is held against its length before memory is taken.
class ZipRecords {
 public:
  /// Throws c10::ValueError in the name of `where` if the file has no sound directory.
  ZipRecords(InputFile file, std::string where);

  const std::string& name() const { return file_.name(); }
  uint64_t size() const { return file_.size(); }

  /// The folder in which all records of LibTorch's archives lie: that of the first of them, "model/", or "".
  const std::string& folder() const { return folder_; }

  bool holds(const std::string& record) const { return records_.contains(record); }

  /// Bytes of a record, by its full name.
  /// Throws c10::ValueError if there is none, it is compressed, or it overlaps the directory.
  uint64_t length(const std::string& record) { return find(record).size; }

  /// Reads the first `count` bytes of a record, at most its length. Throws as `length` does.
  void read(const std::string& record, void* to, uint64_t count);

 private:
  struct Record {
    uint64_t header, size;
    bool stored;
  };

  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const;
  std::string bytes_at(uint64_t position, uint64_t count);
  void read_directory();
  const Record& find(const std::string& record) const;

  InputFile file_;
  std::string where_, folder_;
  std::map<std::string, Record, std::less<>> records_;
  uint64_t directory_ = 0;  ///< where it begins
};

}  // namespace optotorch
