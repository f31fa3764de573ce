#include "recipes/compare.h"

namespace optotorch::tools {

std::vector<RecipeRow> tpfp_mnist(const RecipeOptions& options, Page& page) {
  struct Row {
    const char *title, *rule, *note;
  };
  std::vector<System> systems;
  for (const auto& [title, rule, note] : {
           Row{"BP", "bp", "transports all weights"},
           Row{"DFA", "dfa", "B fixed random"},
           Row{"TPFP, single-point", "tpfp", "F fixed random; transports nothing"},
           Row{"TPFP, multi-point", "tpfp-multi-point",
               "an extension: enters behind every bank; F fixed random; transports nothing"},
           Row{"authors' code", "modulated-input-bp",
               "back-propagation at a modulated input; transports all weights"},
           Row{"shallow", "shallow", "the first bank stays as it was drawn"},
       }) {
    RunConfig config;
    config.model = "mnist-1024";
    config.rule = rule;
    systems.push_back({title, config});
    systems.back().note = note;
    systems.back().measure_alignment = systems.back().config.rule.starts_with("tpfp");
    systems.back().details = systems.back().config.rule.starts_with("tpfp");
  }
  page.paragraph(
      "784-1024-10 of microring weight banks with relu between, on MNIST, training images shifted by up to "
      "one "
      "pixel. No accuracy of TPFP on MNIST is published.");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
