#include "recipes/diffractive.h"

#include <ATen/ATen.h>
#include <optotorch/modules/optics/detector_regions.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/metrics.h>

#include <cmath>
#include <numbers>

#include "runs/run_network.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

torch::Tensor first_images(const RunConfig& config, int64_t count) {
  const auto test = load_image_set(config.dataset, config.data_root, ImageSet::Mode::test);
  return ImageBatches(test, ImageBatchesOptions(count)).batch(0, 0).data;
}

/// Light of one image as a picture; of a camera with its regions, as frames of the brightest value.
HeatMap picture_of(const std::string& title, const torch::Tensor& light, const DetectorRegionsImpl* regions) {
  auto values = light.to(torch::kFloat64).sum(0).clone();
  if (regions != nullptr) {
    const auto most = values.max().item<double>();
    for (const auto& [top, left, size] : regions->regions()) {
      for (const int64_t edge : {int64_t{0}, size - 1}) {
        values.narrow(0, top + edge, 1).narrow(1, left, size).fill_(most);
        values.narrow(0, top, size).narrow(1, left + edge, 1).fill_(most);
      }
    }
  }
  return {title, "column", "row", values};
}

}  // namespace

void show_planes(const std::string& title, const SeedRun& run, Page& page) {
  const torch::NoGradGuard no_grad;
  auto model = load_model_on_paper(load_run(run.folder), run.folder);
  model->eval();
  page.heading(title);
  auto x = first_images(run.config, 1);
  int64_t planes = 0;
  const DetectorRegionsImpl* regions = nullptr;
  for (size_t i = 0; i < model->size(); ++i) {
    regions = regions == nullptr ? dynamic_cast<const DetectorRegionsImpl*>(&model->layer(i)) : regions;
  }
  for (size_t i = 0; i < model->size(); ++i) {
    x = model->layer(i).forward(x);
    const auto* const plane = dynamic_cast<const DiffractiveLayerImpl*>(&model->layer(i));
    if (plane == nullptr || !plane->phase.defined()) {
      continue;
    }
    ++planes;
    const double turn = 2 * std::numbers::pi;
    HeatMap phases{c10::str("phases of plane ", planes), "column", "row",
                   plane->phase.detach().remainder(turn)};
    phases.cyclic = true;
    phases.least = 0;
    phases.most = turn;
    page.plot(phases);
    const bool is_last = i + 1 < model->size() && dynamic_cast<Stage*>(&model->layer(i + 1)) == nullptr;
    page.plot(picture_of(c10::str("light behind plane ", planes, is_last ? ", and the regions" : ""),
                         x[0].abs().square(), is_last ? regions : nullptr));
  }
}

System diffractive_in_silico(const std::string& network, const std::string& dataset,
                             const std::string& title) {
  System system;
  system.title = title;
  system.config.network = network;
  system.config.dataset = dataset;
  system.config.rule = "bp";
  return system;
}

Imperfections diffractive_errors(const std::string& name) {
  require_word("dpnn", "--errors", name, {"first", "harder"});
  auto errors = Imperfections().gain_error(.05).curve_error(.15).phase_error(.2).amplitude_coupling(.1);
  return name == "first" ? errors.offset_error(.25).rotation_error(.0087).distance_error(.02).aberration(.3)
                         : errors.offset_error(.5).rotation_error(.0175).distance_error(.03).aberration(.5);
}

System in_laboratory_of_planes(const std::string& network, const std::string& dataset,
                               const Laboratory& laboratory, const std::string& start) {
  System system;
  auto& config = system.config;
  config.network = network;
  config.dataset = dataset;
  config.start = start;
  config.batch_size = diffractive_batch;
  config.epochs = 1;
  config.learning_rate = .01;
  config.laboratory = laboratory;
  config.laboratory.calibration = 0;
  config.laboratory.compared = "amplitudes";
  return system;
}

double accuracy_in_laboratory(const SeedRun& run, const Laboratory& laboratory, int64_t images) {
  auto config = run.config;
  config.rule = "in-silico";
  config.laboratory = laboratory;
  config.laboratory.correction = "none";
  auto measured = make_network(resolve(config));
  start_from(*measured, run.folder);
  auto test = load_image_set(config.dataset, config.data_root, ImageSet::Mode::test);
  if (images > 0 && images < test.count()) {
    test = test.select(torch::arange(images));
  }
  return evaluate(*measured, ImageBatches(test, ImageBatchesOptions(500)));
}

}  // namespace optotorch::tools
