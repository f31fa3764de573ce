#include "reproduce/compare.h"

namespace optotorch::tools {

std::vector<RecipeRow> tpfp_mnist(const RecipeOptions& options, Page& page) {
  auto systems = systems_of("mnist-1024",
                            {{"BP", "bp", "transports all weights"},
                             {"DFA", "dfa", "B fixed random"},
                             {"TPFP, single-point", "tpfp", "F fixed random; transports nothing"},
                             {"TPFP, multi-point", "tpfp-multi-point",
                              "an extension: enters behind every bank; F fixed random; transports nothing"},
                             {"authors' code", "modulated-input-bp",
                              "back-propagation at a modulated input; transports all weights"},
                             {"shallow", "shallow", "the first bank stays as it was drawn"}});
  for (auto& system : systems) {
    system.details = system.measure_alignment = system.config.rule.starts_with("tpfp");
  }
  page.paragraph(
      "784-1024-10 of microring weight banks with relu between, on MNIST, training images shifted by up to "
      "one pixel. No accuracy of TPFP on MNIST is published.");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
