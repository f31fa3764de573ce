#include "recipes/compare.h"

namespace optotorch::tools {
namespace {

System system_of(const char* title, const char* rule, const char* note) {
  System system{.title = title, .config = {.model = "mnist-1024", .rule = rule}, .note = note};
  system.details = system.measure_alignment = system.config.rule.starts_with("tpfp");
  return system;
}

}  // namespace

std::vector<RecipeRow> tpfp_mnist(const RecipeOptions& options, Page& page) {
  const std::vector<System> systems{
      system_of("BP", "bp", "transports all weights"),
      system_of("DFA", "dfa", "B fixed random"),
      system_of("TPFP, single-point", "tpfp", "F fixed random; transports nothing"),
      system_of("TPFP, multi-point", "tpfp-multi-point",
                "an extension: enters behind every bank; F fixed random; transports nothing"),
      system_of("authors' code", "modulated-input-bp",
                "back-propagation at a modulated input; transports all weights"),
      system_of("shallow", "shallow", "the first bank stays as it was drawn"),
  };
  page.paragraph(
      "784-1024-10 of microring weight banks with relu between, on MNIST, training images shifted by up to "
      "one "
      "pixel. No accuracy of TPFP on MNIST is published.");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
