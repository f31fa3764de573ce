#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "optotorch/laboratory.h"

namespace optotorch::tools {

/// --errors, --splitter, --phase ...: what simulated chips are. `group` is the heading in the help.
void add_chip_options(CLI::App& command, Laboratory& laboratory, const std::string& group);

/// --correction, --fusion ...: how the numerical model follows.
void add_model_options(CLI::App& command, Laboratory& laboratory, const std::string& group);

}  // namespace optotorch::tools
