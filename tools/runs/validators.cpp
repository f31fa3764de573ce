#include "runs/validators.h"

#include <optotorch/core/check.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <optional>
#include <string>

namespace optotorch::tools {
namespace {

std::optional<double> finite_number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool whole = !text.empty() && end == text.c_str() + text.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

CLI::Validator number(const std::string& expected, const std::function<bool(double)>& accepts) {
  return {[=](const std::string& text) {
            const auto value = finite_number(text);
            return value && accepts(*value) ? "" : "expected " + expected + ", got " + text;
          },
          ""};
}

template <typename Integer>
CLI::Validator whole_number(Integer least, Integer most) {
  return {[=](const std::string& text) -> std::string {
            Integer value{};
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            const auto digits = text.starts_with('-') ? text.substr(1) : text;
            const bool octal = digits.size() > 1 && digits.front() == '0';  // to some readers
            const bool is_whole =
                error != std::errc::invalid_argument && end == text.data() + text.size() && !octal;
            if (is_whole && error == std::errc() && value >= least && value <= most) {
              return "";
            }
            const auto range = least > std::numeric_limits<Integer>::min()
                                   ? " from " + std::to_string(least) + " to " + std::to_string(most)
                               : text.starts_with('-') ? " of at least " + std::to_string(least)
                                                       : " of at most " + std::to_string(most);
            return "expected a whole number" + (is_whole ? range : "") + ", got " + text;
          },
          ""};
}

template <typename Integer>
CLI::Validator any_whole_number() {
  return whole_number(std::numeric_limits<Integer>::min(), std::numeric_limits<Integer>::max());
}

/// CLI11's own checks print bounds of 309 digits.
void reword(CLI::Option& option) {
  try {
    for (int index = 0;; ++index) {
      auto& validator = *option.get_validator(index);
      const auto kind = validator.get_description();
      if (kind == "POSITIVE" || kind == "NONNEGATIVE") {
        validator = kind == "POSITIVE" ? positive() : not_negative();
      }
    }
  } catch (const CLI::OptionNotFound&) {  // behind the last one
  }
}

}  // namespace

CLI::Validator positive() {
  return number("a number above 0", [](double value) { return value > 0; });
}

CLI::Validator not_negative() {
  return number("a number from 0 on", [](double value) { return value >= 0; });
}

std::string in_words(const Range& range) {
  const auto& [least, most, open] = range;
  const bool is_bounded = most < std::numeric_limits<double>::max();
  const auto figure = [](double value) {
    constexpr double exact = 1e15;
    return std::abs(value) < exact && value == std::floor(value)
               ? std::to_string(static_cast<long long>(value))
               : c10::str(value);
  };
  if (open) {
    return "a number above " + figure(least) + (is_bounded ? " and at most " + figure(most) : "");
  }
  return is_bounded ? "a number from " + figure(least) + " to " + figure(most)
                    : "a number from " + figure(least) + " on";
}

bool contains(const Range& range, double number) {
  return std::isfinite(number) && (range.open ? number > range.least : number >= range.least) &&
         number <= range.most;
}

CLI::Validator within(const Range& range) {
  return number(in_words(range), [range](double value) { return contains(range, value); });
}

CLI::Validator within(int64_t least, int64_t most) {
  return whole_number(least, most);
}

CLI::Validator one_of(std::vector<std::string> known) {
  return {[known = std::move(known)](const std::string& value) -> std::string {
            if (std::find(known.begin(), known.end(), value) != known.end()) {
              return "";
            }
            const auto nearest = nearest_name(value, known);
            return "expected one of " + c10::Join(", ", known) + ", got '" + value + "'" +
                   (nearest.empty() ? "" : ". Did you mean '" + nearest + "'?");
          },
          ""};
}

void check_numbers(CLI::App& app) {
  for (auto* option : app.get_options({})) {
    reword(*option);
    const auto type = option->get_type_name();
    if (type.starts_with("INT")) {
      option->check(any_whole_number<int64_t>());
    } else if (type.starts_with("UINT")) {
      option->check(any_whole_number<uint64_t>());
    } else if (type.starts_with("FLOAT")) {
      option->check(number("a finite number", [](double) { return true; }));
    }
  }
  for (auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    check_numbers(*command);
  }
}

}  // namespace optotorch::tools
