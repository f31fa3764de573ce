// Worth of each choice in dual adaptive training: one is changed at a time.

#include <functional>

#include "recipes/dat_systems.h"

namespace optotorch::tools {
namespace {

struct Choice {
  const char *title, *method, *correction;
  std::function<void(RunConfig&)> change;
};

const std::vector<Choice>& choices() {
  static const std::vector<Choice> all = {
      {"separable", "separable", "white-box", [](RunConfig&) {}},
      {"fusion in place", "separable", "white-box", [](RunConfig& c) { c.laboratory.fusion = "in-place"; }},
      {"similarity into the phases", "separable", "white-box",
       [](RunConfig& c) { c.laboratory.similarity_to_phases = 1; }},
      {"10 ports compared", "separable", "white-box", [](RunConfig& c) { c.laboratory.compared_ports = 10; }},
      {"no calibration", "separable", "white-box", [](RunConfig& c) { c.laboratory.calibration = 0; }},
      {"splitters unmodelled", "separable", "white-box-phases", [](RunConfig&) {}},
      {"linear", "separable", "linear", [](RunConfig&) {}},
      {"unitary", "unitary", "white-box", [](RunConfig&) {}},
      {"unitary, fusion in place", "unitary", "white-box",
       [](RunConfig& c) { c.laboratory.fusion = "in-place"; }},
      {"unitary, corrections' rate 1e-2", "unitary", "white-box",
       [](RunConfig& c) { c.laboratory.correction_rate = 1e-2; }},
      {"unitary, linear", "unitary", "linear", [](RunConfig&) {}},
      {"no internal states", "no-is", "white-box", [](RunConfig&) {}},
      {"no internal states, 10 ports compared", "no-is", "white-box",
       [](RunConfig& c) { c.laboratory.compared_ports = 10; }},
      {"no internal states, linear", "no-is", "linear", [](RunConfig&) {}},
  };
  return all;
}

}  // namespace

std::vector<RecipeRow> dat_choices(const RecipeOptions& options, Page& page) {
  auto error_free = dat_in_silico("mnist");
  error_free.published = std::nullopt;
  const auto in_silico = train_systems({error_free}, options);
  DatSetting setting;
  setting.start = in_silico.front().runs.front().folder;
  setting.chip.imperfections.splitter_error(0.06).phase_error(0.06);
  std::vector<System> systems;
  for (const auto& choice : choices()) {
    auto system = dat_system(setting, find_dat_method(choice.method), choice.correction);
    system.title = choice.title;
    system.published = std::nullopt;
    system.note.clear();
    system.measure_alignment = true;
    choice.change(system.config);
    systems.push_back(std::move(system));
  }
  page.paragraph(
      "MNIST, splitter and phase errors of .06, phases trained in silico before. White-box correction unless "
      "a "
      "row says otherwise; unless it says otherwise similarity is separable, fusion propagates, the "
      "similarity loss stays out of the "
      "phases, all 64 ports are compared, batches have 500 images.");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
