#pragma once

// Words and pictures of `compare` about its outcomes.

#include <optotorch/trainers/trainer.h>

#include <functional>
#include <string>
#include <vector>

#include "reproduce/page.h"

namespace optotorch::tools {

struct Outcome;

/// One line a system on standard output.
void print_table(const std::vector<Outcome>& outcomes);

/// A value against the epochs, NaN where there is none: the mean over the seeds, and with several of them a
/// band from the least to the greatest. A run that has no finite value at an epoch does not count there.
Series curve_of(const Outcome& outcome, const std::string& name,
                const std::function<double(const EpochReport&)>& value);

/// "seed 0", or "mean of 3 seeds, band from the least to the greatest": what curve_of shows.
std::string seeds_in_words(const std::vector<Outcome>& outcomes);

/// Table, curves, alignment, and the details that systems ask for.
void show(const std::vector<Outcome>& outcomes, Page& page);

}  // namespace optotorch::tools
