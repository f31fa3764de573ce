// A diffractive network all of whose errors drift: nothing done, or its model calibrated every hour.

#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>

#include "recipes/diffractive.h"
#include "recipes/drifting.h"
#include "recipes/recipes.h"
#include "reproduce/compare.h"
#include "runs/laboratory.h"

namespace optotorch::tools {
namespace {

constexpr double planes_drift = 0.3;  // of every error's size, per sqrt(hour)
constexpr double drift_plane_rate = 3e-3, drift_correction_rate = 0.01;

}  // namespace

std::vector<RecipeOption> dpnn_drift_options() {
  return {
      {"network", "dpnn (7 planes of 200 x 200), d2nn-64 (4 of 64 x 64), or another of planes", "d2nn-64"},
      {"calibration", "Batches of 20 images that the model is fitted to every hour", "30"},
      {"samples", "Images that the planes then learn from every hour, in the model alone", "2000"},
      {"images", "Images of the test set that are measured", "1000"}};
}

std::vector<RecipeRow> dpnn_drift(const RecipeOptions& options, Page& page) {
  const auto calibration = whole_number_option("dpnn-drift", options, "calibration", 1, 1'000'000);
  const auto samples = whole_number_option("dpnn-drift", options, "samples", diffractive_batch, 1'000'000);
  const auto& network = options.own.at("network");
  auto error_free = diffractive_in_silico(network, "mnist", "in silico, error-free");
  error_free.seeds = 1;
  Laboratory chip;
  chip.imperfections = diffractive_errors("first");
  auto trained = in_laboratory_of_planes(network, "mnist", chip,
                                         train_systems({error_free}, options).front().runs.front().folder);
  trained.title = "trained at hour 0";
  trained.config.rule = "in-silico";
  trained.config.laboratory.correction = "white-box";
  trained.config.laboratory.correction_rate = .03;
  trained.config.laboratory.identify = options.quick ? 2 : 150;
  trained.config.laboratory.cleared = 1;
  trained.config.samples = 8000;
  trained.seeds = 1;
  const auto folder = train_systems({trained}, options).front().runs.front().folder;
  Drifting drifting{.run = load_run(folder), .folder = folder, .batch_size = diffractive_batch};
  drifting.images = options.quick ? 100 : whole_number_option("dpnn-drift", options, "images", 1, 1'000'000);
  drifting.run.config.laboratory.imperfections.error_drift(planes_drift);
  auto laboratory = drifting.run.config.laboratory;
  laboratory.identify = options.quick ? 2 : calibration;
  laboratory.cleared = 0;
  laboratory.correction_rate = drift_correction_rate;
  page.paragraph(c10::str(
      "Network ", network,
      " on MNIST, in a laboratory whose planes have the first set of errors together. It is "
      "trained at hour 0 by a white box that was fitted to 3,000 images; then every error performs a Wiener "
      "process "
      "of ",
      planes_drift, " of its size per sqrt(hour). Every hour the white box is fitted on to ",
      calibration * diffractive_batch, " images that are measured, and the planes learn from ", samples,
      " images in the model, which costs no "
      "measurement; or nothing is done."));
  const auto learn = train_every_hour(std::make_shared<InSilico>(),
                                      options.quick ? 2 : samples / diffractive_batch, drift_plane_rate);
  const auto calibrate = [=](HybridImpl& model, const BatchSource& train, int hour) {
    identify_errors(model, train, laboratory, hour);
    learn(model, train, hour);
  };
  return watch_drift(drifting, {{"nothing", nullptr}, {"recalibrated every hour", calibrate}}, options, page);
}

}  // namespace optotorch::tools
