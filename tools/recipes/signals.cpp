#include "reproduce/compare.h"

namespace optotorch::tools {

std::vector<RecipeRow> signals(const RecipeOptions& options, Page& page) {
  auto systems = systems_of(
      "mnist-hybrid",
      {{"BP", "bp", "transports all weights"},
       {"DFA", "dfa", "B fixed random; the mesh's own pull-back with its detectors' slope"},
       {"difference, F = W^H A^T", "tpfp-adjoint",
        "two passes; transports the read-out's weights, and the mesh's through a twin"},
       {"difference, F = W^H R", "tpfp-twin", "two passes, R fixed random; needs the mesh's own twin only"},
       {"difference, random F", "tpfp-random", "two passes; transports nothing: strict TPFP"},
       {"quadrature, F = W^H A^T", "quadrature", "an extension, three passes; transports the same"},
       {"quadrature, F = W^H R", "quadrature-twin", "three passes; needs the mesh's own twin only"},
       {"homodyne, random F", "homodyne-random", "the field is read; transports nothing"},
       {"field, F = W^H R", "tpfp-field", "(z - z') / s: lacks the detectors' slope, a wrong direction"},
       {"sloped, F = W^H R", "tpfp-sloped",
        "u (h - h') / s: has the detectors' slope twice, a wrong direction"},
       {"shallow", "shallow", "the mesh stays as it was drawn"}});
  for (auto& system : systems) {
    system.measure_alignment = system.config.rule != "bp" && system.config.rule != "shallow";
  }
  page.paragraph(
      "What a mesh can be told: differences of detector readings, of three passes, of fields; and what does "
      "not work. The default hybrid network on MNIST.");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
