#include "recipes/drifting.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/split.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <cstdio>

#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

struct Life {
  std::vector<double> accuracy;  ///< at the hours 0, 1, ...
  int64_t measurements = 0;      ///< spent on care
};

Life live(const Drifting& drifting, const Care& care, const ImageSetPair& sets,
          const RecipeOptions& options) {
  const auto& config = drifting.run.config;
  auto model = load_model(drifting.run, drifting.folder);
  auto& system = dynamic_cast<SimulatedSystem&>(*laboratory_network("drifting", *model).first->system());
  const auto parts = split(sets.train, config.validation, config.seed);
  const ImageBatches train(parts.training,
                           ImageBatchesOptions(drifting.batch_size).shuffle(true).seed(config.seed));
  const bool takes_all = drifting.images == 0 || drifting.images >= sets.test.count();
  const ImageBatches test(takes_all ? sets.test : sets.test.select(torch::arange(drifting.images)),
                          ImageBatchesOptions(500));
  const auto evaluated = [&] {
    model->eval();
    const double accuracy = evaluate(*model, test);
    model->train();
    return accuracy;
  };
  Life life;
  for (int hour = 0; hour <= (options.quick ? 1 : drifting.hours); ++hour) {
    system.set_time(hour);
    if (care.take != nullptr && hour > 0) {
      const int64_t before = system.measurements();
      care.take(*model, train, hour);
      life.measurements += system.measurements() - before;
    }
    life.accuracy.push_back(evaluated());
    tell(options,
         c10::str(care.name, ", hour ", hour, ": ", std::lround(1e4 * life.accuracy.back()) / 100.0, " %"));
  }
  return life;
}

}  // namespace

std::vector<RecipeRow> watch_drift(const Drifting& drifting, const std::vector<Care>& cares,
                                   const RecipeOptions& options, Page& page) {
  const auto sets = load_image_sets(drifting.run.config.dataset, options.data_root);
  LinePlot plot{"accuracy of drifting hardware", "hours", "accuracy, %", {}};
  std::vector<RecipeRow> rows;
  std::vector<std::vector<std::string>> table;
  for (const auto& care : cares) {
    const auto life = live(drifting, care, sets, options);
    Series series{care.name, {}, {}};
    std::vector<std::string> cells{care.name, std::to_string(life.measurements)};
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
  std::vector<std::string> headers{"Every hour", "Samples measured"};
  for (size_t hour = 0; hour < plot.series.front().x.size(); hour += 2) {
    headers.push_back(c10::str("Hour ", hour));
  }
  page.table(headers, table);
  page.plot(plot);
  return rows;
}

std::function<void(HybridImpl&, const BatchSource&, int)> train_every_hour(std::shared_ptr<Rule> rule,
                                                                           int64_t steps, double rate) {
  const Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };
  // Adam's moments go on from hour to hour.
  auto optimizer = std::make_shared<std::unique_ptr<torch::optim::Adam>>();
  return [=](HybridImpl& model, const BatchSource& train, int hour) {
    if (*optimizer == nullptr) {
      *optimizer = std::make_unique<torch::optim::Adam>(model.parameters(),
                                                        torch::optim::AdamOptions(rate).betas({0.9, 0.99}));
    }
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t number = (hour - 1) * steps + step;
      const auto batch = train.batch(number / train.size(), number % train.size());
      (*optimizer)->zero_grad();
      rule->step(model, batch.data, batch.target, loss);
      (*optimizer)->step();
    }
  };
}

}  // namespace optotorch::tools
