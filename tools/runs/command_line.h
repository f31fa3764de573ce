#pragma once

#include <CLI/CLI.hpp>

#include "runs/settings.h"
#include "runs/validators.h"

namespace optotorch::tools {

/// Adds the option of a setting, with its range, to a command. `value` must outlive the command.
template <typename Value>
CLI::Option* add_setting(CLI::App& command, const Setting& setting, Value& value) {
  auto* const option = command.add_option(setting.option, value, setting.help);
  if constexpr (std::is_arithmetic_v<Value>) {
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
