#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/metrics.h>

#include <algorithm>
#include <cstdio>

#include "reproduce/compare.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

/// Test accuracy of a run's phases and read-out on the chip of its seed.
double transferred_accuracy(const SeedRun& run) {
  auto ideal = load_model(load_run(run.folder), run.folder);
  auto config = run.config;
  config.network = "mnist-in-situ";
  auto chip = make_network(resolve(config));
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < chip->size(); ++i) {
    if (auto* physical = dynamic_cast<PhysicalNetworkImpl*>(&chip->layer(i))) {
      physical->copy_commands({dynamic_cast<const Stage*>(&ideal->layer(i))});
    }
  }
  auto from = ideal->layer(ideal->size() - 1).parameters();
  auto to = chip->layer(chip->size() - 1).parameters();
  for (size_t i = 0; i < to.size(); ++i) {
    to[i].copy_(from[i]);
  }
  const auto test = load_image_set(run.config.dataset, run.config.data_root, ImageSet::Mode::test);
  return evaluate(*chip, ImageBatches(test, ImageBatchesOptions(1000)));
}

}  // namespace

std::vector<RecipeRow> tpfp_in_situ(const RecipeOptions& options, Page& page) {
  struct Row {
    const char *title, *model, *rule, *note;
  };
  std::vector<System> systems;
  for (const auto& [title, model, rule, note] : {
           Row{"BP, error-free mesh", "mnist-hybrid", "bp", "in silico"},
           Row{"TPFP, error-free mesh", "mnist-hybrid", "tpfp", "F = W^H R"},
           Row{"TPFP in situ", "mnist-in-situ", "tpfp",
               "detector readings only; F = W^H R by the nominal, error-free W; R fixed random"},
           Row{"TPFP in situ, F = W^H A^T", "mnist-in-situ", "tpfp-adjoint",
               "by the nominal W; transports the read-out's weights, too"},
           Row{"TPFP in situ, random F", "mnist-in-situ", "tpfp-random", "transports nothing"},
           Row{"physics-aware BP in situ", "mnist-in-situ", "bp",
               "forward on the chip, backward in the nominal model"},
           Row{"shallow in situ", "mnist-in-situ", "shallow", "the chip stays as it was drawn"},
       }) {
    RunConfig config;
    config.network = model;
    config.rule = rule;
    systems.push_back({title, config});
    systems.back().note = note;
  }
  page.paragraph(
      "The mesh and its detectors are a simulated chip with splitter errors of .04 and phase errors of .04 "
      "rad (standard deviations, another chip for every seed), of which a rule sees detector readings only. "
      "MNIST, the lens's 10 x 10 window, 100 ports, linear read-out.");
  const auto outcomes = compare(systems, options, page);
  auto rows = rows_of(outcomes);

  std::vector<double> transferred;
  for (const auto& run : outcomes.front().runs) {
    transferred.push_back(transferred_accuracy(run));
  }
  const auto [least, most] = std::minmax_element(transferred.begin(), transferred.end());
  double sum = 0;
  for (const double one : transferred) {
    sum += one;
  }
  const double mean = sum / static_cast<double>(transferred.size());
  rows.push_back({"BP in silico, transferred to the chip", std::nullopt, mean, *most - *least,
                  static_cast<int64_t>(transferred.size()), "last epoch"});
  const auto text = c10::str("BP in silico, then transferred to the chip: ", std::round(mean * 1e4) / 100,
                             " %, spread ", std::round((*most - *least) * 1e4) / 100, " %");
  std::printf("%s\n", text.c_str());
  page.paragraph(text);
  return rows;
}

}  // namespace optotorch::tools
