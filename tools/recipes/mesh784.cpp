#include <c10/util/StringUtil.h>
#include <sys/resource.h>

#include <cstdio>

#include "recipes/compare.h"

namespace optotorch::tools {
namespace {

System system_of(const char* title, const char* rule, const char* note) {
  return {.title = title,
          .config = {.model = "mnist-mesh784", .rule = rule},
          .details = std::string(rule) == "quadrature",
          .note = note};
}

}  // namespace

std::vector<RecipeRow> mesh784(const RecipeOptions& options, Page& page) {
  const std::vector<System> systems{
      system_of("BP", "bp", "transports all weights"),
      system_of("TPFP difference, F = W^H A^T", "tpfp-adjoint",
                "two passes; transports the read-out's weights, and the mesh's through a twin"),
      system_of("TPFP quadrature, F = W^H A^T", "quadrature",
                "an extension, three passes; transports the same"),
      system_of("TPFP difference, F = W^H R", "tpfp-twin", "R fixed random; needs the mesh's own twin only"),
      system_of("TPFP difference, random F", "tpfp-random", "transports nothing: strict TPFP"),
      system_of("shallow", "shallow", "the mesh stays as it was drawn"),
  };
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
