#include <c10/util/StringUtil.h>
#include <optotorch/core/detail/printable.h>
#include <optotorch/trainers/datasets/detail/text_numbers.h>

#include <charconv>
#include <cmath>

namespace optotorch {
namespace {

constexpr std::string_view blanks = " \t\v\f\r\n";

template <typename Number>
std::optional<Number> number(std::string_view word) {
  if (word.starts_with('+') && !word.starts_with("+-")) {
    word.remove_prefix(1);
  }
  Number value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

bool LineReader::next(std::string_view& line) {
  if (left_.empty()) {
    return false;
  }
  const auto end = left_.find('\n');
  line = left_.substr(0, end);
  left_.remove_prefix(end == std::string_view::npos ? left_.size() : end + 1);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return true;
}

bool next_word(std::string_view& line, std::string_view& word) {
  const auto begin = line.find_first_not_of(blanks);
  if (begin == std::string_view::npos) {
    line = {};
    return false;
  }
  line.remove_prefix(begin);
  const auto end = std::min(line.find_first_of(blanks), line.size());
  word = line.substr(0, end);
  line.remove_prefix(end);
  return true;
}

std::optional<int64_t> whole_number(std::string_view word) {
  return number<int64_t>(word);
}

std::optional<double> real_number(std::string_view word) {
  const auto value = number<double>(word);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::string shown(std::string_view word) {
  constexpr size_t most = 40;
  return c10::str("'", printable(word, most), "'");
}

}  // namespace optotorch
