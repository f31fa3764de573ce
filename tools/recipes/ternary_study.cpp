// How many weights to change at once: annealing, single flips and constant numbers, against noise. And more neurons.

#include <ATen/ATen.h>

#include <optotorch/core/check.h>

#include <algorithm>
#include <chrono>

#include "recipes/recipes.h"
#include "recipes/ternary.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

constexpr char study_recipe[] = "ternary-study";
constexpr int64_t quick_study_images = 600, quick_study_trials = 100, header_bits = 4;

struct ScheduleChoice {
  const char* name;
  AnnealingOptions options;
};

std::vector<ScheduleChoice> schedule_choices(int64_t trials, bool quick) {
  const auto plan = [] { return AnnealingOptions(); };
  const auto constant = [&](double n) { return plan().schedule(AnnealingSchedule::constant).n0(n); };
  const double tau = static_cast<double>(trials) / 8;
  const auto falling = [&](double n0, int64_t floor) { return plan().n0(n0).tau(tau).floor(floor); };
  std::vector<ScheduleChoice> all = {{"single flip", constant(1)},
                                     {"constant 4", constant(4)},
                                     {"exponential, 20 to 1", falling(20, 1)},
                                     {"exponential, 20 to 4", falling(20, 4)}};
  if (!quick) {
    all.insert(all.end(), {{"constant 2", constant(2)},
                           {"constant 8", constant(8)},
                           {"exponential, 20 to 2", falling(20, 2)},
                           {"exponential, 20 to 8", falling(20, 8)},
                           {"exponential, 60 to 4", falling(60, 4)},
                           {"exponential, 20 to 4, slower", falling(20, 4).tau(2 * tau)},
                           {"error-driven, 20 to 4", falling(20, 4).schedule(AnnealingSchedule::error)},
                           {"single flip, re-measured", constant(1).remeasure(true).trials(trials / 2)},
                           {"exponential, 20 to 4, re-measured",
                            falling(20, 4).tau(tau / 2).remeasure(true).trials(trials / 2)}});
  }
  for (auto& choice : all) {
    if (!choice.options.remeasure()) {
      choice.options.trials(trials);
    }
  }
  return all;
}

struct StudiedTask {
  const char* name;
  ReservoirStates (*states)(const RecipeOptions& options, int64_t images, int64_t seed);
};

const StudiedTask studied_tasks[] = {
    {"MNIST",
     [](const RecipeOptions& options, int64_t images, int64_t seed) {
       LaserReservoir reservoir(mnist_reservoir(options.quick ? 60 : 450, seed));
       return states_of(reservoir, mnist_frames(options, images));
     }},
    {"headers", [](const RecipeOptions& options, int64_t images, int64_t seed) {
       const auto frames = header_frames(header_bits, images, seed);
       LaserReservoir reservoir(header_reservoir(frames.train.size(1), options.quick ? 60 : 450, seed));
       return states_of(reservoir, frames);
     }}};

void compare_schedules(const RecipeOptions& options, int64_t images, int64_t trials, Page& page,
                       std::vector<RecipeRow>& rows) {
  const std::vector<double> noises =
      options.quick ? std::vector<double>{0, 0.3} : std::vector<double>{0, 0.1, 0.3};
  for (const auto& task : studied_tasks) {
    std::vector<ReservoirStates> states;
    for (int64_t seed = 0; seed < options.seeds; ++seed) {
      states.push_back(task.states(options, images, seed));
    }
    std::vector<std::string> headers{"Weights that change"};
    for (const double noise : noises) {
      headers.push_back(formatted("Noise %.0f %%", 100 * noise));
    }
    std::vector<std::vector<std::string>> table;
    std::vector<RecipeRow> best(noises.size()), best_with_floor(noises.size());
    for (const auto& choice : schedule_choices(trials, options.quick)) {
      std::vector<std::string> cells{choice.name};
      for (size_t column = 0; column < noises.size(); ++column) {
        const double noise = noises[column];
        std::vector<double> accuracies;
        double measurements = 0;
        for (int64_t seed = 0; seed < options.seeds; ++seed) {
          const auto found =
              search(states[seed], {.noise = noise, .annealing = choice.options, .seed = seed});
          accuracies.push_back(found.accuracy);
          measurements = found.measurements;
        }
        auto row = row_over_seeds(
            c10::str(task.name, ", ", formatted("%.0f %% noise, ", 100 * noise), choice.name), accuracies);
        row.figures["measurements"] = measurements;
        cells.push_back(percent(row.measured) + " +- " + formatted("%.2f", 50 * row.spread));
        tell(options, row.system + ": " + cells.back());
        if (row.measured > best[column].measured) {
          best[column] = row;
        }
        const bool anneals =
            choice.options.schedule() != AnnealingSchedule::constant && choice.options.floor() > 1;
        if (anneals && row.measured > best_with_floor[column].measured) {
          best_with_floor[column] = row;
        }
        rows.push_back(std::move(row));
      }
      table.push_back(std::move(cells));
    }
    page.heading(c10::str(task.name, ": test accuracy after ", trials, " measurements"));
    page.table(headers, table);
    for (size_t column = 0; column < noises.size(); ++column) {
      page.paragraph(c10::str(
          "The best: ", best[column].system, ", ", percent(best[column].measured),
          ". The best of those that anneal down to a floor above 1: ", best_with_floor[column].system, ", ",
          percent(best_with_floor[column].measured), "."));
    }
  }
}

void grow(const RecipeOptions& options, int64_t images, int64_t trials, Page& page,
          std::vector<RecipeRow>& rows) {
  const auto frames = mnist_frames(options, images);
  const std::vector<int64_t> sizes =
      options.quick ? std::vector<int64_t>{30, 60} : std::vector<int64_t>{100, 300, 1000, 3000, 10'000};
  LinePlot plot{
      "Test accuracy as neurons grow", "neurons", "%", {{"ternary", {}, {}}, {"ridge", {}, {}}}, true};
  std::vector<std::vector<std::string>> table;
  for (const int64_t neurons : sizes) {
    LaserReservoir reservoir(mnist_reservoir(neurons, 0));
    const auto states = states_of(reservoir, frames);
    // A weight is tried as often as in a smaller reservoir.
    const int64_t own_trials = std::max(trials, trials * neurons / 450);
    const auto found = search(states, {.annealing = AnnealingOptions().n0(1).trials(own_trials)});
    const double ridge = ridge_accuracy(states, chosen_lambda(states));
    for (const auto& [name, value] : {std::pair{"ternary", found.accuracy}, std::pair{"ridge", ridge}}) {
      auto row = row_over_seeds(c10::str(name, ", ", neurons, " neurons"), {value});
      row.figures["measurements"] = found.measurements;
      rows.push_back(row);
      auto& series = plot.series[name[0] == 't' ? 0 : 1];
      series.x.push_back(static_cast<double>(neurons));
      series.y.push_back(100 * value);
    }
    table.push_back({std::to_string(neurons), percent(found.accuracy), percent(ridge),
                     formatted("%.0f", found.measurements), formatted("%.0f", found.seconds)});
    tell(options,
         c10::str(neurons, " neurons: ternary ", percent(found.accuracy), ", ridge ", percent(ridge)));
  }
  page.heading(c10::str("More neurons, ", images,
                        " training images; ridge with the lambda that is best on a fifth of them"));
  page.table({"Neurons", "ternary", "ridge", "Measurements", "Seconds of the search"}, table);
  page.plot(plot);
  // One that no memory holds.
  const int64_t neurons = options.quick ? 1000 : 100'000, count = 4;
  LaserReservoir streamed(mnist_reservoir(neurons, 0).streamed(true));
  const auto start = std::chrono::steady_clock::now();
  streamed->forward(frames.test.narrow(0, 0, count));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
                         static_cast<double>(count);
  RecipeRow row{.system = c10::str("streamed, ", neurons, " neurons"),
                .measured = seconds,
                .selection = "seconds a frame"};
  rows.push_back(row);
  page.paragraph(c10::str(neurons, " neurons with a transmission matrix that is never stored: ",
                          formatted("%.3f", seconds), " s a frame, ", count, " frames at once."));
}

}  // namespace

std::vector<RecipeOption> ternary_study_options() {
  return {{"part", "schedules, neurons or both", "both"},
          {"images", "Training images, or frames", "10000"},
          {"trials", "Measurements of a search", "5000"}};
}

std::vector<RecipeRow> ternary_study(const RecipeOptions& options, Page& page) {
  const ThreadsOf threads(options);
  const auto& part = options.own.at("part");
  OPTOTORCH_CHECK(part == "both" || part == "schedules" || part == "neurons", .where = study_recipe,
                  .argument = "--part", .expected = "schedules, neurons or both", .got = "'" + part + "'");
  const int64_t images =
      options.quick ? quick_study_images : whole_number_option(study_recipe, options, "images", 600, 60'000);
  const int64_t trials = options.quick ? quick_study_trials
                                       : whole_number_option(study_recipe, options, "trials", 16, 10'000'000);
  std::vector<RecipeRow> rows;
  page.paragraph(
      c10::str("A search changes n weights of every output, measures, and keeps what measures better. n is "
               "constant, or falls from n0 "
               "to n_min as exp(-k / tau), tau an eighth of the trials, or with the error. Where the best is "
               "re-measured before every "
               "trial, there are half as many trials. Noise: standard deviation of an exposure's over that "
               "of the exposure itself; "
               "accuracies are of the ideal read-out. ",
               images, " training images or frames, ", options.seeds, " seed(s): mean and half the spread."));
  if (part != "neurons") {
    compare_schedules(options, images, trials, page, rows);
  }
  if (part != "schedules") {
    grow(options, images, trials, page, rows);
  }
  return rows;
}

}  // namespace optotorch::tools
