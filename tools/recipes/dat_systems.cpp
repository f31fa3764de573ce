#include "recipes/dat_systems.h"

#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/metrics.h>

#include <algorithm>

#include "runs/run_network.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

constexpr int64_t identified_batches = 480;

/// The published realisation, if there is one, is that of seed 0; others are drawn.
void one_published_realisation(RunConfig& config, int64_t seed) {
  if (seed > 0) {
    config.laboratory.errors.clear();
  }
}

}  // namespace

const std::vector<DatMethod>& dat_methods() {
  static const std::vector<DatMethod> all = {
      {"direct", "direct", "in-silico", false, 0, 0, Published::direct, Published::direct},
      {"pat", "PAT, layer-wise", "pat", false, 0, 24},
      {"pat-output", "PAT, output only", "pat-output", false, 0, 24, Published::pat, Published::pat},
      {"at", "AT", "at", false, 0, 24},
      {"no-is", "DAT, no internal states", "dat-output", true, 2, 22, Published::output_4k,
       Published::output_10k},
      {"unitary", "DAT, unitary", "dat-unitary", true, 1, 25, Published::unitary_4k, Published::unitary_10k},
      {"separable", "DAT, separable", "dat-separable", true, 1, 25, Published::separable_4k,
       Published::separable_10k},
      {"identify", "identified once", "in-silico", true, 0, 24},
      {"oracle", "oracle, errors known", "in-silico", false, 0, 24},
  };
  return all;
}

const DatMethod& find_dat_method(const std::string& name) {
  return find_by_name("dat", "--methods", dat_methods(), name);
}

MeshLayout mpnn_layout() {
  constexpr int64_t ports = 64;
  return MziMeshOptions(ports).idle_port(IdlePort::bar).layout();
}

System dat_in_silico(const std::string& dataset) {
  System system;
  system.title = "in silico, error-free";
  system.config.dataset = dataset;
  system.config.network = "mpnn";
  system.config.rule = "bp";
  system.published = dataset == "mnist" ? 0.968 : 0.860;
  system.seeds = 1;
  return system;
}

System dat_system(const DatSetting& setting, const DatMethod& method, const std::string& correction) {
  System system;
  const std::string name = method.name;
  system.title = method.corrected ? std::string(method.title) + ", " + correction : method.title;
  auto& config = system.config;
  config.dataset = setting.dataset;
  config.network = setting.faithful ? "mpnn-published" : "mpnn-in-situ";
  config.rule = method.rule;
  config.start = setting.start;
  config.laboratory = setting.chip;
  config.laboratory.correction = method.corrected ? correction : name == "oracle" ? "exact" : "none";
  config.laboratory.identify = name == "identify" ? identified_batches : 0;
  if (!setting.faithful) {
    config.epochs = method.epochs;
    // From Haar phases there is further to go.
    config.learning_rate =
        usual_phase_rate(config.laboratory.correction, setting.start.empty() ? 4e-3 : 2e-3);
    config.laboratory.calibration = method.calibration;
  }
  system.adjust = one_published_realisation;
  if (const auto column = correction == "unet-4k" ? method.small : method.large) {
    if (const auto published =
            published_accuracy(setting.dataset, setting.chip.imperfections.splitter_error(),
                               setting.chip.imperfections.phase_error(), *column)) {
      system.published = published->last.value_or(published->best);
      system.note = "published: " + published->text() + ", best epoch on the test set / last epoch";
    }
  }
  return system;
}

void follow_closely(System& system) {
  auto& laboratory = system.config.laboratory;
  if (laboratory.correction == "white-box") {
    system.config.learning_rate = 1e-3;
    laboratory.correction_rate = 1e-2;
  }
}

RecipeRow dat_direct(const DatSetting& setting, const RecipeOptions& options) {
  RecipeRow row{.system = "direct", .seeds = options.seeds, .selection = "fixed weights"};
  const auto test = load_image_set(setting.dataset, options.data_root, ImageSet::Mode::test);
  double least = 1, most = 0;
  for (int64_t seed = 0; seed < options.seeds; ++seed) {
    auto config = dat_system(setting, find_dat_method("direct"), "").config;
    config.epochs = 1;
    config.seed = seed;
    one_published_realisation(config, seed);
    auto run = resolve(config);
    run.config.classes = test.classes();
    run.config.input = test.images().sizes().slice(1).vec();
    auto model = make_network(run);
    if (!setting.start.empty()) {
      start_from(*model, setting.start);
    }
    const double accuracy = evaluate(*model, ImageBatches(test, ImageBatchesOptions(1000)));
    row.measured += accuracy / static_cast<double>(options.seeds);
    least = std::min(least, accuracy);
    most = std::max(most, accuracy);
  }
  row.spread = most - least;
  row.least = least;
  row.most = most;
  if (const auto published =
          published_accuracy(setting.dataset, setting.chip.imperfections.splitter_error(),
                             setting.chip.imperfections.phase_error(), Published::direct)) {
    row.published = published->best;
  }
  return row;
}

}  // namespace optotorch::tools
