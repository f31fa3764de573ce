#include "reproduce/compare.h"

namespace optotorch::tools {

std::vector<RecipeRow> odfa_mnist(const RecipeOptions& options, Page& page) {
  auto systems = systems_of(
      "mnist-mlp", {{"BP", "bp", "transports all weights"},
                    {"DFA", "dfa", "B fixed random"},
                    {"ternary DFA, two frames", "dfa-ternary", "B fixed random"},
                    {"ODFA, two frames", "odfa", "an optical processing unit, 10 % of noise"},
                    {"ODFA, one frame", "odfa-one-frame", "an optical processing unit, 10 % of noise"},
                    {"ODFA, absolute threshold .1", "odfa-absolute", "as published, 10 % of noise"},
                    {"shallow", "shallow", "hidden weights stay as they were drawn"}});
  for (auto& system : systems) {
    if (system.config.rule == "odfa-absolute") {
      system.published = 0.958;
    }
    if (system.config.rule == "dfa") {
      system.published = 0.976;
    }
    system.details = system.measure_alignment = system.config.rule.find("dfa") != std::string::npos;
  }
  page.paragraph(
      "784-1024-1024-10 with tanh on MNIST, training images shifted by up to one pixel. Published (arXiv "
      "2006.01475): optical 95.8 %, digital 97.6 %.");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
