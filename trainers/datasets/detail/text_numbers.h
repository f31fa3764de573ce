#pragma once

// Numbers in files of text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace optotorch {

/// The lines of a text, without their ends ("\n", "\r\n").
class LineReader {
 public:
  explicit LineReader(std::string_view text) : left_(text) {}

  /// False if there is no further line. What follows the last end of a line is one if it is not empty.
  bool next(std::string_view& line);

 private:
  std::string_view left_;
};

/// Takes the first word off a line; words are separated by blanks. False if there is none.
bool next_word(std::string_view& line, std::string_view& word);

/// All of `word` as a number, as Python's int() and float() read plain ones: nothing if it is none, if it is
/// beyond int64, or not finite.
std::optional<int64_t> whole_number(std::string_view word);
std::optional<double> real_number(std::string_view word);

/// A foreign word as an error may show it: quoted, printable, of moderate length.
std::string shown(std::string_view word);

}  // namespace optotorch
