#pragma once

// The columns in which direct feedback is always shown beside what it is measured by.

#include <string>
#include <vector>

#include "reproduce/compare.h"

namespace optotorch::tools {

/// Learning rates, one for each column.
struct FeedbackRates {
  double bp = 0, dfa = 0, ternary = 0, optical = 0, shallow = 0;
};

/// BP, DFA, ternary DFA, ODFA (two frames, 10 % of noise) and only the head trained; cosines to the true
/// gradient where a random matrix teaches.
std::vector<System> feedback_columns(const std::string& model, const FeedbackRates& rates);

}  // namespace optotorch::tools
