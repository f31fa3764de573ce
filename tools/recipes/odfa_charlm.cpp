#include <optotorch/trainers/datasets/text/ngrams.h>
#include <optotorch/trainers/datasets/text/sample.h>

#include <cstdio>

#include "recipes/feedback_columns.h"
#include "runs/network.h"
#include "runs/run_data.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

/// Chosen on the last twentieth of the training text, seed 0 (docs/reproduce.md).
const FeedbackRates charlm_rates{.bp = 4e-3, .dfa = 2e-3, .ternary = 2e-3, .optical = 2e-3, .shallow = 3e-3};
constexpr double micro_rate = 2e-3;

constexpr int64_t drawn = 400, drawn_if_quick = 20;  // characters

std::string drawn_text(const SeedRun& run, int64_t length) {
  const auto trained = load_run(run.folder);
  auto model = load_model(trained, run.folder);
  const auto characters =
      read_characters(vocabulary_path(run.folder), Characters::most_bytes, TextForm::exact);
  return sample(*model, characters, "\n", SampleOptions(trained.training().context).length(length));
}

}  // namespace

std::vector<RecipeRow> odfa_charlm(const RecipeOptions& options, Page& page) {
  page.paragraph(
      "A character model of four post-norm transformer blocks, context 128, width 128, on the plays of "
      "Shakespeare; bits per character, of which fewer are better. Macro: the error before the read-out "
      "reaches every block's output through one random matrix. Micro: also two places inside each block. "
      "All have seen as many characters.");
  auto systems = feedback_columns("charlm", charlm_rates);
  auto micro = feedback_columns("charlm-micro", {.dfa = micro_rate, .optical = micro_rate});
  for (auto& system : micro) {
    if (system.config.rule == "dfa" || system.config.rule == "odfa") {
      system.title += ", micro";
      systems.push_back(system);
    }
  }
  const auto outcomes = compare(systems, options, page);
  auto rows = rows_of(outcomes);
  const double bp = rows.front().measured;
  double shallow = bp;
  for (const auto& outcome : outcomes) {
    shallow = outcome.system.config.rule == "shallow" ? outcome.mean : shallow;
  }
  std::vector<std::vector<std::string>> closed;
  for (auto& row : rows) {
    const double share = (shallow - row.measured) / (shallow - bp);
    row.figures["gap_closed"] = share;
    char text[32];
    std::snprintf(text, sizeof text, "%.0f %%", 100 * share);
    closed.push_back({row.system, text});
  }
  const auto& dataset = outcomes.front().runs.front().config.dataset;
  const auto train = load_text(dataset, options.data_root, Characters::Mode::train);
  const auto test = load_text(dataset, options.data_root, Characters::Mode::test);
  rows.push_back({.system = "bigrams", .measured = bigram_bits(train, test), .selection = "counted"});
  std::printf("bigrams: %.4f\n", rows.back().measured);

  page.heading("From the trained read-out to back-propagation");
  page.table({"System", "Gap closed"}, closed);
  page.paragraph(c10::str("Counts of pairs of characters foretell the test text at ", rows.back().measured,
                          " bits per character."));
  page.heading("Texts that the networks draw, seed 0");
  for (const auto& outcome : outcomes) {
    page.paragraph(outcome.system.title + ":");
    page.verse(drawn_text(outcome.runs.front(), options.quick ? drawn_if_quick : drawn));
  }
  return rows;
}

}  // namespace optotorch::tools
