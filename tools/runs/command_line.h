#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "runs/settings.h"
#include "runs/validators.h"

namespace optotorch::tools {

/// Adds the option of a setting, with its range, to a command. `value` must outlive the command.
template <typename Value>
CLI::Option* add_setting(CLI::App& command, const Setting& setting, Value& value) {
  auto* const option = command.add_option(setting.option, value, setting.help);
  if constexpr (std::is_integral_v<Value>) {
    constexpr auto smallest = std::numeric_limits<int64_t>::min(),
                   largest = std::numeric_limits<int64_t>::max();
    const auto whole = [](double bound) {
      return bound <= static_cast<double>(smallest)  ? smallest
             : bound >= static_cast<double>(largest) ? largest
                                                     : static_cast<int64_t>(bound);
    };
    const auto least = whole(setting.range.least), most = whole(setting.range.most);
    if (least != smallest || most != largest) {  // in 64 bits it is in any case
      option->check(within(least, most));
    }
  } else if constexpr (std::is_arithmetic_v<Value>) {
    option->check(within(setting.range));
  }
  if (setting.has_default) {
    option->capture_default_str();
  }
  if (*setting.group != '\0') {
    option->group(setting.group);
  }
  return option;
}

}  // namespace optotorch::tools
