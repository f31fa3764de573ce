#pragma once

#include <string>

namespace optotorch::tools {

struct CostArguments {
  std::string components, json;  ///< files; the first is the program's own if empty, the second none
  double snr_db = 40;
};

/// Prints what the network of a run costs to run, and writes it as JSON if that is asked for.
void print_cost(const std::string& folder, const CostArguments& arguments);

}  // namespace optotorch::tools
