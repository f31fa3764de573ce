// A laser reservoir that drifts for ten hours: how alike the replays of one stretch of input are.

#include <ATen/ATen.h>
#include <optotorch/trainers/metrics.h>

#include <algorithm>
#include <cmath>

#include "recipes/recipes.h"
#include "recipes/ternary.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

constexpr char consistency_recipe[] = "ternary-consistency";
constexpr int64_t drift_hours = 10, replayed = 2000, quick_replayed = 300, quick_consistency_images = 600,
                  quick_consistency_trials = 200;
constexpr double wanted = 0.99;

/// Mean over the columns of the correlation of two replays [frames, columns].
double correlation(const at::Tensor& a, const at::Tensor& b) {
  const auto x = a.to(at::kDouble) - a.mean(0, true, at::kDouble),
             y = b.to(at::kDouble) - b.mean(0, true, at::kDouble);
  const auto rho = (x * y).sum(0) / (x.square().sum(0) * y.square().sum(0)).sqrt();
  return rho.mean().item<double>();
}

/// Of all pairs of replays.
double consistency(const std::vector<at::Tensor>& replays) {
  double sum = 0;
  int64_t pairs = 0;
  for (size_t i = 0; i < replays.size(); ++i) {
    for (size_t j = 0; j < i; ++j, ++pairs) {
      sum += correlation(replays[i], replays[j]);
    }
  }
  return sum / static_cast<double>(pairs);
}

/// States at hours 0, 1, ...
std::vector<at::Tensor> replay(const LaserReservoirOptions& plan, double drift, const at::Tensor& frames,
                               int64_t last) {
  LaserReservoir reservoir(LaserReservoirOptions(plan).drift(drift));
  std::vector<at::Tensor> states;
  for (int64_t hour = 0; hour <= last; ++hour) {
    reservoir->set_hours(static_cast<double>(hour));
    states.push_back(reservoir->forward(frames));
  }
  return states;
}

}  // namespace

std::vector<RecipeOption> ternary_consistency_options() {
  return {{"neurons", "Neurons of the reservoir", "450"},
          {"images", "Training images", "10000"},
          {"trials", "Trials of the search", "8000"},
          {"noise", "Noise of a neuron's reading, over the mean intensity", "0.01"}};
}

std::vector<RecipeRow> ternary_consistency(const RecipeOptions& options, Page& page) {
  const ThreadsOf threads(options);
  const int64_t neurons =
      options.quick ? 100 : whole_number_option(consistency_recipe, options, "neurons", 2, 100'000);
  const int64_t images = options.quick
                             ? quick_consistency_images
                             : whole_number_option(consistency_recipe, options, "images", 600, 60'000);
  const int64_t trials = options.quick
                             ? quick_consistency_trials
                             : whole_number_option(consistency_recipe, options, "trials", 1, 10'000'000);
  const double noise = number_option(consistency_recipe, options, "noise");
  const auto frames = mnist_frames(options, images);
  const auto plan = mnist_reservoir(neurons, 0).noise(noise);
  const auto shown = frames.test.narrow(0, 0, options.quick ? quick_replayed : replayed);
  const auto shown_target = frames.test_target.narrow(0, 0, shown.size(0));

  // The drift at which the states of the input are so alike: the more, the less.
  const auto few = shown.narrow(0, 0, std::min(shown.size(0), quick_replayed));
  double low = 0, high = 0.5;
  for (int step = 0; step < (options.quick ? 8 : 12); ++step) {
    const double middle = (low + high) / 2;
    (consistency(replay(plan, middle, few, drift_hours)) > wanted ? low : high) = middle;
  }
  const double drift = low;
  LaserReservoir at_first(plan);
  const auto found =
      search(states_of(at_first, frames), {.annealing = AnnealingOptions().n0(1).trials(trials), .seed = 0});
  const auto states = replay(plan, drift, shown, drift_hours);
  std::vector<at::Tensor> outputs;
  LinePlot alike{
      "Correlation with hour 0", "hours", "%", {{"input states", {}, {}}, {"trained output", {}, {}}}};
  LinePlot accuracies{"Test accuracy", "hours", "%", {{"ternary, trained at hour 0", {}, {}}}};
  std::vector<std::vector<std::string>> table;
  double least_accuracy = 1, first_accuracy = 0;
  for (int64_t hour = 0; hour <= drift_hours; ++hour) {
    outputs.push_back(found.readout->forward(states[hour]));
    const double right = accuracy(outputs.back(), shown_target);
    const double in = correlation(states[hour], states[0]), out = correlation(outputs.back(), outputs[0]);
    first_accuracy = hour == 0 ? right : first_accuracy;
    least_accuracy = std::min(least_accuracy, right);
    const auto x = static_cast<double>(hour);
    for (auto* const series : {&alike.series[0], &alike.series[1], &accuracies.series[0]}) {
      series->x.push_back(x);
    }
    alike.series[0].y.push_back(100 * in);
    alike.series[1].y.push_back(100 * out);
    accuracies.series[0].y.push_back(100 * right);
    table.push_back({std::to_string(hour), percent(in), percent(out), percent(right)});
  }
  const double of_states = consistency(states), of_output = consistency(outputs);
  tell(options, c10::str("drift ", formatted("%.4f", drift), ": states ", percent(of_states), ", output ",
                         percent(of_output)));
  std::vector<RecipeRow> rows{row_over_seeds("input states", {of_states}),
                              row_over_seeds("trained output", {of_output}),
                              row_over_seeds("accuracy at hour 0", {first_accuracy}),
                              row_over_seeds("lowest accuracy", {least_accuracy})};
  rows[0].published = rows[1].published = wanted;
  for (auto& row : rows) {
    row.selection = "hours 0 to 10";
    row.figures["drift"] = drift;
  }
  page.paragraph(c10::str("The same ", shown.size(0), " frames at hours 0 to ", drift_hours,
                          ". The transmission matrix wanders, sqrt(1 - d^2) T_0 + d T_1(t), "
                          "with d = ",
                          formatted("%.4f", drift),
                          ", at which the states are alike by 99 %, and detectors have noise of ", noise,
                          " of the mean intensity. The read-out was trained at hour 0. Consistency is the "
                          "mean correlation of all pairs of "
                          "replays: ",
                          percent(of_states), " of the states, ", percent(of_output),
                          " of the trained output. The paper has more than 99 % for more than ten hours."));
  page.table({"Hour", "States, with hour 0", "Output, with hour 0", "Test accuracy"}, table);
  page.plot(alike);
  page.plot(accuracies);
  return rows;
}

}  // namespace optotorch::tools
