#include <optotorch/trainers/datasets/load_image_sets.h>

#include "reproduce/compare.h"

namespace optotorch::tools {

// Below this many training images, smaller batches keep the number of steps up.
constexpr int64_t small_set = 20'000;

std::vector<RecipeRow> four_rules(const RecipeOptions& options, Page& page) {
  RunConfig config;
  if (load_image_set("mnist", options.data_root, ImageSet::Mode::train).count() < small_set) {
    config.batch_size = 32;
    config.epochs = 12;
  }
  std::vector<System> systems;
  for (const auto& [rule, title] : {std::pair{"bp", "BP"}, std::pair{"tpfp", "TPFP"}, std::pair{"dfa", "DFA"},
                                    std::pair{"shallow", "shallow"}}) {
    config.rule = rule;
    systems.push_back({title, config});
    systems.back().details = true;
    systems.back().measure_alignment = config.rule == "tpfp" || config.rule == "dfa";
  }
  page.paragraph(
      "One hybrid network (a lens, a mesh of Mach-Zehnder interferometers, detectors and a linear read-out) "
      "learns MNIST by back-propagation (BP), two-pass forward propagation (TPFP), direct feedback "
      "alignment (DFA), and with only its read-out trained (shallow).");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
