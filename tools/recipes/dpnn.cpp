// A diffractive network in a laboratory: planes that stand where nobody knows, modulators with curves of their own.

#include <optotorch/core/check.h>

#include <algorithm>
#include <cstdio>

#include "recipes/diffractive.h"
#include "recipes/recipes.h"
#include "reproduce/compare.h"
#include "reproduce/details.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

/// A way to train in the laboratory.
struct DpnnMethod {
  const char *name, *title, *rule, *correction;
  bool identifies;  ///< the correction is fitted once, before training
  bool monitors = true;
};

constexpr DpnnMethod dpnn_methods[] = {
    {"pat", "PAT, layer-wise", "pat", "none", false},
    {"pat-output", "PAT, output only", "pat-output", "none", false},
    {"at", "AT", "at", "none", false},
    {"white-box", "white box, then in silico", "in-silico", "white-box", true},
    {"white-box-dat", "DAT, white box", "dat-unitary", "white-box", true},
    {"white-box-no-is", "DAT, white box, no internal states", "dat-output", "white-box", true},
    {"screen", "DAT, screen", "dat-unitary", "screen", true},
    {"unet", "DAT, UNet", "dat-unitary", "unet-10k", true},
    {"oracle", "oracle, errors known", "in-silico", "exact", false},
};

const DpnnMethod& method_of(const std::string& name) {
  const auto* const found = std::find_if(std::begin(dpnn_methods), std::end(dpnn_methods),
                                         [&](const DpnnMethod& method) { return name == method.name; });
  if (found == std::end(dpnn_methods)) {
    std::vector<std::string> known{"direct"};
    for (const auto& method : dpnn_methods) {
      known.emplace_back(method.name);
    }
    require_word("dpnn", "--methods", name, known);
  }
  return *found;
}

}  // namespace

std::vector<RecipeOption> dpnn_options() {
  return {
      {"network", "dpnn (7 planes of 200 x 200), d2nn-64 (4 of 64 x 64), or another of planes", "dpnn"},
      {"dataset", "mnist or fashion-mnist", "mnist"},
      {"errors", "first or harder: sizes of all errors at once", "first"},
      {"methods",
       "Some of direct, pat, pat-output, at, white-box, white-box-dat, white-box-no-is, screen, unet, oracle",
       "direct,pat,pat-output,at,white-box,white-box-dat,white-box-no-is,screen,unet,oracle"},
      {"simulation", "Simulation of the planes: model, or fine, which no correction is the code of", "model"},
      {"samples", "Images that planes learn from in the laboratory", "8000"},
      {"calibration", "Batches of 20 images that a correction is fitted to before", "150"},
      {"noise", "Noise of a camera's reading as a part of it", "0"}};
}

std::vector<RecipeRow> dpnn(const RecipeOptions& options, Page& page) {
  const auto& network = options.own.at("network");
  const auto& dataset = options.own.at("dataset");
  require_word("dpnn", "--dataset", dataset, {"mnist", "fashion-mnist"});
  const auto names = split_at_commas(options.own.at("methods"));
  Laboratory chip;
  chip.imperfections = diffractive_errors(options.own.at("errors"));
  chip.simulation = options.own.at("simulation");
  require_word("dpnn", "--simulation", chip.simulation, {"model", "fine"});
  chip.imperfections.relative_noise() = number_option("dpnn", options, "noise");
  const auto samples = whole_number_option("dpnn", options, "samples", diffractive_batch, 1'000'000);
  const auto calibration = whole_number_option("dpnn", options, "calibration", 1, 1'000'000);
  for (const auto& name : names) {
    if (name != "direct") {
      method_of(name);
    }
  }
  page.paragraph(
      chip.simulation == "fine"
          ? "The planes are simulated with several samples a pixel, dark borders, crosstalk, reflections and "
            "vignetting, which the model has not."
          : "The planes are simulated by the white box's own code.");
  page.paragraph(c10::str(
      "Like the diffractive network of arXiv 2212.06141, with parameters of our own, as its are not public: "
      "network ",
      network, " on ", dataset, ", trained in silico, then in a laboratory whose planes have ",
      options.own.at("errors"), " errors of place, rotation, distance, modulators and aberration together. ",
      "Corrections are fitted to ", calibration * diffractive_batch,
      " images, most planes without phases at first; the planes then learn from ", samples,
      ". The white box knows the kinds of the errors; the screen and "
      "the UNet know "
      "nothing."));
  auto error_free = diffractive_in_silico(network, dataset, "in silico, error-free");
  error_free.seeds = 1;
  auto outcomes = train_systems({error_free}, options);
  const auto start = outcomes.front().runs.front();
  std::vector<RecipeRow> rows;
  std::vector<System> systems;
  for (const auto& name : names) {
    if (name == "direct") {
      RecipeRow row{.system = "direct", .selection = "fixed weights"};
      chip.chip_seed = 0;
      row.measured = row.least = row.most = accuracy_in_laboratory(start, chip, options.quick ? 200 : 2000);
      chip.chip_seed = -1;
      std::printf("direct, planes trained in silico as they are: %.2f %%\n", 100 * row.measured);
      page.paragraph(c10::str("Planes trained in silico, in the laboratory as they are: ",
                              std::to_string(100 * row.measured).substr(0, 5), " %."));
      rows.push_back(row);
      continue;
    }
    auto method = method_of(name);
    if (chip.simulation == "fine" && name == "oracle") {
      // No model holds all errors of such planes.
      method.title = "oracle, the simulation's own gradients";
      method.rule = "oracle";
      method.correction = "none";
    }
    auto system = in_laboratory_of_planes(network, dataset, chip, start.folder);
    system.title = method.title;
    system.config.rule = method.rule;
    system.config.samples = samples;
    system.config.laboratory.correction = method.correction;
    if (method.identifies) {
      system.config.laboratory.identify = options.quick ? 2 : calibration;
      system.config.laboratory.correction_rate = .03;
      system.config.laboratory.cleared = 1;
    }
    systems.push_back(system);
  }
  for (auto& outcome : train_systems(systems, options)) {
    outcomes.push_back(std::move(outcome));
  }
  print_table(outcomes);
  show(outcomes, page);
  show_planes("Planes and light of one image, before the laboratory", start, page);
  const auto trained = rows_of(outcomes);
  rows.insert(rows.end(), trained.begin(), trained.end());
  return rows;
}

}  // namespace optotorch::tools
