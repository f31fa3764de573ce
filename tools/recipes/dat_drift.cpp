// A chip that drifts: what it costs to do nothing, and what to train again now and then.

#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/split.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/adam.h>

#include <cstdio>

#include "recipes/dat_systems.h"
#include "reproduce/details.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

constexpr double drift = 0.03;  // rad per sqrt(hour)
constexpr int hours = 10;
constexpr int64_t batch_size = 500, batches_an_hour = 40;
constexpr double phase_rate = 1e-3, correction_rate = 3e-3;

/// Care that is taken every hour.
struct Care {
  const char* name;
  std::shared_ptr<Rule> rule;  ///< nullptr: nothing
};

struct Life {
  std::vector<double> accuracy;  ///< at the hours 0, 1, ...
  int64_t measurements = 0;      ///< spent on training
};

Life live(const Care& care, const Run& run, const std::string& folder, const ImageSetPair& sets,
          const RecipeOptions& options) {
  const auto& config = run.config;
  auto model = load_model(run, folder);
  auto* const network = laboratory_network("dat-drift", *model).first;
  auto& system = dynamic_cast<SimulatedSystem&>(*network->system());
  const auto parts = split(sets.train, config.validation, config.seed);
  const ImageBatches train(parts.training, ImageBatchesOptions(batch_size).shuffle(true).seed(config.seed));
  const ImageBatches test(sets.test, ImageBatchesOptions(1000));
  torch::optim::Adam optimizer(model->parameters(), torch::optim::AdamOptions(phase_rate).betas({0.9, 0.99}));
  const Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };
  Life life;
  const int64_t steps = options.quick ? 2 : batches_an_hour;
  for (int hour = 0; hour <= (options.quick ? 1 : hours); ++hour) {
    system.set_time(hour);
    if (care.rule != nullptr && hour > 0) {
      const int64_t before = system.measurements();
      for (int64_t step = 0; step < steps; ++step) {
        const int64_t number = (hour - 1) * steps + step;
        const auto batch = train.batch(number / train.size(), number % train.size());
        optimizer.zero_grad();
        care.rule->step(*model, batch.data, batch.target, loss);
        optimizer.step();
      }
      life.measurements += system.measurements() - before;
    }
    life.accuracy.push_back(evaluate(*model, test));
    tell(options,
         c10::str(care.name, ", hour ", hour, ": ", std::lround(1e4 * life.accuracy.back()) / 100.0, " %"));
  }
  return life;
}

}  // namespace

std::vector<RecipeRow> dat_drift(const RecipeOptions& options, Page& page) {
  const auto in_silico = train_systems({dat_in_silico("mnist")}, options);
  DatSetting setting;
  setting.start = in_silico.front().runs.front().folder;
  setting.chip.imperfections.splitter_error(0.06).phase_error(0.06);
  auto trained = dat_system(setting, find_dat_method("separable"), "white-box");
  trained.seeds = 1;
  const auto outcomes = train_systems({trained}, options);
  const auto& folder = outcomes.front().runs.front().folder;
  auto run = load_run(folder);
  run.config.laboratory.imperfections.drift(drift);
  const auto sets = load_image_sets(run.config.dataset, options.data_root);

  const Care cares[] = {
      {"nothing", nullptr},
      {"PAT every hour", std::make_shared<PhysicsAware>()},
      {"DAT every hour", std::make_shared<DualAdaptive>(
                             DualAdaptiveOptions().similarity(Similarity::separable).rate(correction_rate))}};
  LinePlot plot{"accuracy of a drifting chip", "hours", "accuracy, %", {}};
  std::vector<RecipeRow> rows;
  std::vector<std::vector<std::string>> table;
  for (const auto& care : cares) {
    const auto life = live(care, run, folder, sets, options);
    Series series{care.name, {}, {}};
    std::vector<std::string> cells{std::string(care.name), std::to_string(life.measurements)};
    for (size_t hour = 0; hour < life.accuracy.size(); ++hour) {
      series.x.push_back(static_cast<double>(hour));
      series.y.push_back(100 * life.accuracy[hour]);
      if (hour % 2 == 0) {
        char text[32];
        std::snprintf(text, sizeof text, "%.2f %%", 100 * life.accuracy[hour]);
        cells.emplace_back(text);
      }
    }
    plot.series.push_back(std::move(series));
    table.push_back(std::move(cells));
    rows.push_back({.system = c10::str(care.name, ", after ", life.accuracy.size() - 1, " hours, ",
                                       life.measurements, " samples measured"),
                    .measured = life.accuracy.back()});
  }
  page.paragraph(c10::str(
      "MNIST, splitter and phase errors of .06. The chip is trained at hour 0; then every phase performs a "
      "Wiener process of ",
      drift, " rad per sqrt(hour). Every hour training goes on for ", batches_an_hour, " batches of ",
      batch_size, " images, from the phases and corrections of the hour before, or not."));
  std::vector<std::string> headers{"Every hour", "Samples measured"};
  for (size_t hour = 0; hour < plot.series.front().x.size(); hour += 2) {
    headers.push_back(c10::str("Hour ", hour));
  }
  page.table(headers, table);
  page.plot(plot);
  return rows;
}

}  // namespace optotorch::tools
