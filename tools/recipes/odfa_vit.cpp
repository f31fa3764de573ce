#include "recipes/feedback_columns.h"
#include "reproduce/compare.h"
#include "reproduce/details.h"

namespace optotorch::tools {
namespace {

/// Chosen on 10,000 held-back images of Fashion-MNIST, seed 0 (docs/reproduce.md).
const FeedbackRates vit_rates{.bp = 1e-3, .dfa = 4e-3, .ternary = 4e-3, .optical = 2e-3, .shallow = 1};

struct DataSet {
  const char *name, *title;
};
constexpr DataSet data_sets[] = {{"mnist", "MNIST"}, {"fashion-mnist", "Fashion-MNIST"}};

}  // namespace

std::vector<RecipeRow> odfa_vit(const RecipeOptions& options, Page& page) {
  page.paragraph(
      "A vision transformer of four post-norm blocks on 16 overlapping patches. Every block learns from a "
      "signal at its output, which is the error at the classes through one random matrix that all blocks and "
      "patches share. In every column the read-out begins as that matrix's transpose.");
  std::vector<System> systems;
  for (const auto& [name, title] : data_sets) {
    for (auto& system : feedback_columns("vit", vit_rates)) {
      system.title = std::string(title) + ", " + system.title;
      system.config.dataset = name;
      systems.push_back(system);
    }
  }
  const auto outcomes = train_systems(systems, options);
  for (const auto& [name, title] : data_sets) {
    std::vector<Outcome> of_set;
    for (const auto& outcome : outcomes) {
      if (outcome.system.config.dataset == name) {
        of_set.push_back(outcome);
      }
    }
    page.heading(title);
    print_table(of_set);
    show(of_set, page);
  }
  return rows_of(outcomes);
}

}  // namespace optotorch::tools
