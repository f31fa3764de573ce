#pragma once

// What `compare` says of its outcomes.

#include <vector>

namespace optotorch::tools {

class Page;
struct Outcome;

/// One line a system on standard output.
void print_table(const std::vector<Outcome>& outcomes);

/// Table, curves of seed 0, alignment, and the details that systems ask for.
void show(const std::vector<Outcome>& outcomes, Page& page);

}  // namespace optotorch::tools
