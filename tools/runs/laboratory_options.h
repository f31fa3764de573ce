#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "runs/laboratory.h"

namespace optotorch::tools {

/// --errors, --splitter, --phase ...: what simulated chips are. `group` is the heading in the help.
void add_chip_options(CLI::App& command, Laboratory& laboratory, const std::string& group);

/// --retries, --reconnect: how an instrument that fails, or is lost, is asked again.
void add_patience_options(CLI::App& command, Laboratory& laboratory, const std::string& group);

/// --correction, --fusion ...: how the numerical model follows.
void add_model_options(CLI::App& command, Laboratory& laboratory, const std::string& group);

}  // namespace optotorch::tools
