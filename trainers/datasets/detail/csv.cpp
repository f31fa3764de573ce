#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/csv.h>

#include <algorithm>
#include <utility>

namespace optotorch {
namespace {

constexpr size_t most_fields = 1000;

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string path) : left_(text), path_(std::move(path)) {
  unescaped_.reserve(most_fields);  // so that fields stay where they are
}

void CsvReader::refuse(const std::string& expected, const std::string& got) const {
  reject({.where = path_,
          .argument = c10::str("row ", row_),
          .expected = expected,
          .got = got,
          .remedy = "The file is damaged or no table with commas"});
}

/// A quoted field, of which the first quote has been taken.
std::string_view CsvReader::quoted() {
  std::string field;
  for (bool doubled = false;; doubled = true) {
    const auto quote = left_.find('"');
    if (quote == std::string_view::npos) {
      refuse("the end of a quotation", "the end of the file");
    }
    const auto piece = left_.substr(0, quote);
    left_.remove_prefix(quote + 1);
    const bool goes_on = left_.starts_with('"');
    if (!goes_on && !doubled) {
      return piece;
    }
    field += piece;
    if (!goes_on) {
      return unescaped_.emplace_back(std::move(field));
    }
    field += '"';
    left_.remove_prefix(1);
  }
}

bool CsvReader::next(std::vector<std::string_view>& fields) {
  fields.clear();
  unescaped_.clear();
  left_.remove_prefix(std::min(left_.find_first_not_of("\r\n"), left_.size()));
  if (left_.empty()) {
    return false;
  }
  ++row_;
  while (true) {
    if (fields.size() == most_fields) {
      refuse(c10::str("at most ", most_fields, " fields"), "more");
    }
    if (left_.starts_with('"')) {
      left_.remove_prefix(1);
      fields.push_back(quoted());
    } else {
      const auto end = std::min(left_.find_first_of(",\r\n"), left_.size());
      fields.push_back(left_.substr(0, end));
      left_.remove_prefix(end);
      if (fields.back().find('"') != std::string_view::npos) {
        refuse("quotes around whole fields", "one within a field");
      }
    }
    if (left_.starts_with(',')) {
      left_.remove_prefix(1);
    } else if (left_.empty() || left_.front() == '\r' || left_.front() == '\n') {
      return true;
    } else {
      refuse("a comma or the end of a row behind a quotation", "something else");
    }
  }
}

}  // namespace optotorch
