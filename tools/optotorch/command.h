#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace optotorch::tools {

// Each adds one subcommand with its options, help and callback to the program.
void add_train(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_export(CLI::App& app);
void add_info(CLI::App& app);
void add_sample(CLI::App& app);
void add_instrument(CLI::App& app);
void add_decompose(CLI::App& app);
void add_reproduce(CLI::App& app);

/// The program's exit code after a signal asked for an end, as shells expect it of Ctrl-C.
constexpr int interrupted_exit_code = 130;

/// Accepts one of `known`; for anything else the error names the nearest.
CLI::Validator one_of(std::vector<std::string> known);

}  // namespace optotorch::tools
