#include <c10/util/StringUtil.h>
#include <sys/resource.h>

#include <cstdio>

#include "reproduce/compare.h"

namespace optotorch::tools {
std::vector<RecipeRow> mesh784(const RecipeOptions& options, Page& page) {
  auto systems = systems_of(
      "mnist-mesh784",
      {{"BP", "bp", "transports all weights"},
       {"TPFP difference, F = W^H A^T", "tpfp",
        "two passes; transports the read-out's weights, and the mesh's through a twin"},
       {"TPFP quadrature, F = W^H A^T", "quadrature", "an extension, three passes; transports the same"},
       {"TPFP difference, F = W^H R", "tpfp-twin", "R fixed random; needs the mesh's own twin only"},
       {"TPFP difference, random F", "tpfp-random", "transports nothing: strict TPFP"},
       {"shallow", "shallow", "the mesh stays as it was drawn"}});
  for (auto& system : systems) {
    system.details = system.config.rule == "quadrature";
  }
  page.paragraph(
      "One rectangular mesh of 784 ports, 306,936 Mach-Zehnder interferometers, on all pixels of MNIST, its "
      "phases trained; amplitude detectors; linear read-out.");
  auto rows = rows_of(compare(systems, options, page));
  rusage usage{};
  if (::getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_maxrss > 0) {
    const auto text = c10::str("Largest resident memory of any training: ", usage.ru_maxrss / 1024, " MiB");
    std::printf("%s\n", text.c_str());
    page.paragraph(text);
  }
  return rows;
}

}  // namespace optotorch::tools
