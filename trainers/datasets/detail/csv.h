#pragma once

// Tables with commas (RFC 4180).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch {

/// The rows of a table, one after the other: fields between commas, quoted where they hold commas, quotes
/// (doubled) or ends of lines. Empty lines are passed over.
class CsvReader {
 public:
  /// `text` must outlive this and the fields; errors call it `path`.
  CsvReader(std::string_view text, std::string path);

  /// False at the end. The fields are valid until the next call. Throws c10::ValueError where a quotation has no
  /// end, has anything but a comma behind it, or begins in the middle of a field, and for more than 1000 fields.
  bool next(std::vector<std::string_view>& fields);

  /// Which row was read last, from 1 on.
  int64_t row() const { return row_; }

 private:
  std::string_view quoted();
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const;

  std::string_view left_;
  std::string path_;
  std::vector<std::string> unescaped_;  ///< fields of this row that are not in the text as they are
  int64_t row_ = 0;
};

}  // namespace optotorch
