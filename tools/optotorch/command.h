#pragma once

#include <CLI/CLI.hpp>

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
void add_sweep(CLI::App& app);

}  // namespace optotorch::tools
