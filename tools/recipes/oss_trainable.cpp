// Spectral filters that learn: sixteen of them on Fashion-MNIST, and on a chip whose filters are off.

#include <optotorch/core/check.h>

#include "recipes/diffractive.h"
#include "recipes/recipes.h"
#include "reproduce/compare.h"
#include "reproduce/details.h"

namespace optotorch::tools {
namespace {

constexpr auto trainable_network = "oss-16", trainable_dataset = "fashion-mnist";

System trainable(const std::string& title, const std::string& rule) {
  System system;
  system.title = title;
  system.config.network = trainable_network;
  system.config.dataset = trainable_dataset;
  system.config.rule = rule;
  return system;
}

}  // namespace

std::vector<RecipeRow> oss_trainable(const RecipeOptions& options, Page& page) {
  page.paragraph(
      "Sixteen filters whose frequencies and widths learn, 256 hidden values behind, Fashion-MNIST. arXiv "
      "2512.20580 reports "
      "90.1 % of sixteen trainable kernels by back-propagation; the network here is our own. On the chip "
      "every filter is "
      "off by half a width (standard deviation) that nobody knows; a white box learns the detunings from "
      "what the "
      "photodiodes read.");
  auto bp = trainable("BP", "bp");
  bp.published = .901;
  auto outcomes = train_systems({bp, trainable("DFA", "dfa"), trainable("TPFP multi-point", "tpfp-multi-point")}, options);
  Laboratory chip;
  chip.imperfections.resonance_error(1);  // half widths
  chip.chip_seed = 0;
  const auto& in_silico = outcomes.front().runs.front();
  RecipeRow direct{.system = "direct transfer", .selection = "fixed weights"};
  direct.measured = direct.least = direct.most =
      accuracy_in_laboratory(in_silico, chip, options.quick ? 200 : 0);
  page.paragraph(c10::str("The network of the row BP on the chip as it is: ",
                          std::to_string(100 * direct.measured).substr(0, 5), " %."));
  chip.chip_seed = -1;
  auto dat = trainable("DAT, white box", "dat-output");
  auto& config = dat.config;
  config.start = in_silico.folder;
  config.laboratory = chip;
  config.laboratory.correction = "white-box";
  config.laboratory.calibration = 1;
  config.epochs = 4;
  config.learning_rate = 5e-4;
  for (auto& outcome : train_systems({dat}, options)) {
    outcomes.push_back(std::move(outcome));
  }
  print_table(outcomes);
  show(outcomes, page);
  auto rows = rows_of(outcomes);
  rows.insert(rows.begin() + 3, direct);
  return rows;
}

}  // namespace optotorch::tools
