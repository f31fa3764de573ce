// Headers in a bit stream, told apart by a laser reservoir with ternary weights.

#include <ATen/ATen.h>

#include "recipes/recipes.h"
#include "recipes/ternary.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

constexpr char header_recipe[] = "ternary-header";
constexpr int64_t quick_frames = 600, quick_header_trials = 200, header_steps = 10, least_bits = 3,
                  most_bits = 6;

}  // namespace

std::vector<RecipeOption> ternary_header_options() {
  return {{"neurons", "Neurons of the reservoir", "450"},
          {"frames", "Frames to train on", "10000"},
          {"trials", "Trials of a search", "12000"}};
}

std::vector<RecipeRow> ternary_header(const RecipeOptions& options, Page& page) {
  const ThreadsOf threads(options);
  const int64_t neurons = whole_number_option(header_recipe, options, "neurons", 2, 1'000'000);
  const int64_t frames_of_a_run =
      options.quick ? quick_frames : whole_number_option(header_recipe, options, "frames", 600, 10'000'000);
  const int64_t trials = options.quick
                             ? quick_header_trials
                             : whole_number_option(header_recipe, options, "trials", 10, 10'000'000);
  std::vector<RecipeRow> rows;
  std::vector<std::vector<std::string>> table;
  LinePlot plot{
      "Symbol error", "bits of a header", "%", {{"Boolean", {}, {}}, {"ternary", {}, {}}, {"ridge", {}, {}}}};
  for (int64_t bits = least_bits; bits <= (options.quick ? least_bits + 1 : most_bits); ++bits) {
    std::vector<double> errors[3];
    double measurements = 0;
    for (int64_t seed = 0; seed < options.seeds; ++seed) {
      const auto frames = header_frames(bits, frames_of_a_run, seed);
      LaserReservoir reservoir(header_reservoir(frames.train.size(1), neurons, seed));
      const auto states = states_of(reservoir, frames);
      for (const auto weights : {Weights::boolean, Weights::ternary}) {
        const auto found =
            search(states, {.weights = weights,
                            .annealing = AnnealingOptions().n0(1).trials(trials / header_steps),
                            .steps = header_steps,
                            .seed = seed});
        errors[weights == Weights::boolean ? 0 : 1].push_back(1 - found.accuracy);
        measurements = found.measurements;
      }
      errors[2].push_back(1 - ridge_accuracy(states));
    }
    std::vector<std::string> cells{std::to_string(bits)};
    size_t n = 0;
    for (const char* name : {"Boolean", "ternary", "ridge"}) {
      auto row = row_over_seeds(c10::str(name, ", ", bits, " bits"), errors[n]);
      row.selection = "symbol error, last trial";
      row.figures["measurements"] = n == 2 ? 0 : measurements;
      plot.series[n].x.push_back(static_cast<double>(bits));
      plot.series[n].y.push_back(100 * row.measured);
      cells.push_back(percent(row.measured));
      tell(options, c10::str(row.system, ": symbol error ", percent(row.measured)));
      rows.push_back(row);
      ++n;
    }
    table.push_back(cells);
  }
  page.paragraph(
      c10::str("A frame shows the last bits of a random stream, twice as many as a header has, each on 16 "
               "mirrors; the read-out names "
               "the header, the newer half. ",
               frames_of_a_run, " frames to train on, 5,000 others to test, ", neurons,
               " neurons whose readings have noise of a tenth of the mean intensity, ", options.seeds,
               " seed(s), ", trials, " trials of annealing."));
  page.table({"Bits", "Boolean", "ternary", "ridge"}, table);
  page.plot(plot);
  return rows;
}

}  // namespace optotorch::tools
