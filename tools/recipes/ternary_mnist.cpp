// Digits by a laser reservoir with Boolean and ternary weights, beside ridge regression on the same states.

#include <ATen/ATen.h>

#include "recipes/recipes.h"
#include "recipes/ternary.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

constexpr char mnist_recipe[] = "ternary-mnist";
constexpr int64_t quick_mnist_images = 1000, quick_mnist_trials = 200, mnist_steps = 10;

}  // namespace

std::vector<RecipeOption> ternary_mnist_options() {
  return {{"neurons", "Neurons of the reservoir", "450"},
          {"images", "Training images", "60000"},
          {"trials", "Trials of a search, every output by itself", "8000"},
          {"refining", "Trials that follow, judged by all outputs together", "6000"}};
}

std::vector<RecipeRow> ternary_mnist(const RecipeOptions& options, Page& page) {
  const ThreadsOf threads(options);
  const int64_t neurons = whole_number_option(mnist_recipe, options, "neurons", 2, 1'000'000);
  const int64_t images =
      options.quick ? quick_mnist_images : whole_number_option(mnist_recipe, options, "images", 100, 60'000);
  const int64_t trials = options.quick ? quick_mnist_trials
                                       : whole_number_option(mnist_recipe, options, "trials", 10, 10'000'000);
  const int64_t refining = options.quick
                               ? quick_mnist_trials
                               : whole_number_option(mnist_recipe, options, "refining", 0, 10'000'000);
  const auto frames = mnist_frames(options, images);
  std::vector<double> boolean, ternary, ridge;
  double measurements[2] = {}, seconds[2] = {};
  LinePlot curves{"Test accuracy", "trials", "%", {}};
  for (int64_t seed = 0; seed < options.seeds; ++seed) {
    LaserReservoir reservoir(mnist_reservoir(neurons, seed));
    const auto states = states_of(reservoir, frames);
    ridge.push_back(ridge_accuracy(states));
    tell(options, c10::str("seed ", seed, ", ridge: ", percent(ridge.back())));
    for (const auto weights : {Weights::boolean, Weights::ternary}) {
      const bool is_boolean = weights == Weights::boolean;
      const Search how{.weights = weights,
                       .annealing = AnnealingOptions().n0(1).trials(trials / mnist_steps),
                       .steps = mnist_steps,
                       .refining = refining,
                       .seed = seed};
      const auto found = search(states, how);
      (is_boolean ? boolean : ternary).push_back(found.accuracy);
      measurements[is_boolean ? 0 : 1] = found.measurements;
      seconds[is_boolean ? 0 : 1] += found.seconds / static_cast<double>(options.seeds);
      const std::string title = is_boolean ? "Boolean" : "ternary";
      tell(options, c10::str("seed ", seed, ", ", title, ": ", percent(found.accuracy), " after ",
                             found.measurements, " measurements, ", formatted("%.0f s", found.seconds)));
      if (seed == 0) {
        Series line{title, found.at, {}};
        for (const double value : found.along) {
          line.y.push_back(100 * value);
        }
        curves.series.push_back(line);
      }
    }
  }
  std::vector<RecipeRow> rows{row_over_seeds("Boolean", boolean), row_over_seeds("ternary", ternary),
                              row_over_seeds("ridge", ridge)};
  rows[2].selection = "closed form";
  for (size_t n = 0; n < 2; ++n) {
    rows[n].figures = {{"measurements", measurements[n]}, {"seconds", seconds[n]}};
  }
  // The paper: ternary weights come close to a digital linear read-out.
  const double gap = rows[2].measured - rows[1].measured;
  rows[1].figures["points_below_ridge"] = 100 * gap;
  rows[1].agrees = options.quick || gap <= 0.01;

  page.paragraph(c10::str(
      "Digits of MNIST, black and white, on the input modulator of a laser reservoir of ", neurons,
      " neurons; a binary modulator in front of the detector holds the weights. ", images,
      " training images, all test images, ", options.seeds,
      " seed(s). Annealing sees measured outputs alone: ", trials,
      " trials of single flips judge every output by itself, by its correlation with its class; ", refining,
      " more judge all outputs together, by their cross entropy. A measurement reads all outputs "
      "for all training images; a "
      "ternary one takes two exposures. Ridge regression knows every state, and its "
      "weights are real numbers."));
  page.table({"Read-out", "Test accuracy", "Spread", "Measurements", "Seconds a search"},
             {{"Boolean", percent(rows[0].measured), percent(rows[0].spread),
               formatted("%.0f", measurements[0]), formatted("%.0f", seconds[0])},
              {"ternary", percent(rows[1].measured), percent(rows[1].spread),
               formatted("%.0f", measurements[1]), formatted("%.0f", seconds[1])},
              {"ridge", percent(rows[2].measured), percent(rows[2].spread), "-", "-"}});
  page.plot(curves);
  return rows;
}

}  // namespace optotorch::tools
