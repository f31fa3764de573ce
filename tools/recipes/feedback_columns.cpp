#include "recipes/feedback_columns.h"

namespace optotorch::tools {

std::vector<System> feedback_columns(const std::string& model, const FeedbackRates& rates) {
  struct Column {
    const char *title, *rule, *note;
    double rate;
  };
  const Column columns[] = {
      {"BP", "bp", "", rates.bp},
      {"DFA", "dfa", "B fixed random", rates.dfa},
      {"ternary DFA", "dfa-ternary", "the error as two ternary frames", rates.ternary},
      {"ODFA", "odfa", "through an optical processing unit, 10 % of noise", rates.optical},
      {"shallow", "shallow", "all but the read-out stays as it was drawn", rates.shallow},
  };
  std::vector<System> systems;
  for (const auto& [title, rule, note, rate] : columns) {
    systems.push_back({.title = title,
                       .config = {.network = model, .rule = rule, .learning_rate = rate},
                       .measure_alignment = std::string(rule).find("dfa") != std::string::npos,
                       .note = note});
  }
  return systems;
}

}  // namespace optotorch::tools
