#pragma once

// Checks of a user's words: numbers, and words of a list.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace optotorch::tools {

/// The largest learning rate that is no mistake. Of much larger ones LibTorch's optimisers make infinities.
constexpr double most_rate = 1e6;

/// Numbers that a setting may be.
struct Range {
  double least = 0, most = std::numeric_limits<double>::max();
  bool open = false;  ///< `least` itself is none
};

/// "1 to 1024", "a number above 0 and at most 1000000".
std::string in_words(const Range& range);

/// True for what is finite and in the range.
bool contains(const Range& range, double number);

/// Accepts finite numbers above 0.
CLI::Validator positive();

/// Accepts finite numbers from 0 on.
CLI::Validator not_negative();

/// Accepts whole numbers from `least` to `most`.
CLI::Validator within(int64_t least, int64_t most);

/// Accepts finite numbers in a setting's range.
CLI::Validator within(const Range& range);

/// Accepts one of `known`; for anything else the error names the nearest.
CLI::Validator one_of(std::vector<std::string> known);

/// Makes every option for a whole number refuse what has no place in 64 bits or is none, and every option for
/// a real one what is not finite, in all commands of the program. CLI::PositiveNumber and NonNegativeNumber
/// get the words of the two above.
void check_numbers(CLI::App& app);

}  // namespace optotorch::tools
