// A chip that drifts: what it costs to do nothing, and what to train again now and then.

#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>

#include "recipes/dat_systems.h"
#include "recipes/drifting.h"

namespace optotorch::tools {
namespace {

constexpr double drift = 0.03;  // rad per sqrt(hour)
constexpr int64_t batches_an_hour = 40;
constexpr double phase_rate = 1e-3, correction_rate = 3e-3;

}  // namespace

std::vector<RecipeRow> dat_drift(const RecipeOptions& options, Page& page) {
  const auto in_silico = train_systems({dat_in_silico("mnist")}, options);
  DatSetting setting;
  setting.start = in_silico.front().runs.front().folder;
  setting.chip.imperfections.splitter_error(0.06).phase_error(0.06);
  auto trained = dat_system(setting, find_dat_method("separable"), "white-box");
  trained.seeds = 1;
  const auto folder = train_systems({trained}, options).front().runs.front().folder;
  Drifting drifting{.run = load_run(folder), .folder = folder};
  drifting.run.config.laboratory.imperfections.drift(drift);
  const auto steps = options.quick ? 2 : batches_an_hour;
  page.paragraph(c10::str(
      "MNIST, splitter and phase errors of .06. The chip is trained at hour 0; then every phase performs a "
      "Wiener process of ",
      drift, " rad per sqrt(hour). Every hour training goes on for ", batches_an_hour, " batches of ",
      drifting.batch_size, " images, from the phases and corrections of the hour before, or not."));
  return watch_drift(
      drifting,
      {{"nothing", nullptr},
       {"PAT every hour", train_every_hour(std::make_shared<PhysicsAware>(), steps, phase_rate)},
       {"DAT every hour",
        train_every_hour(std::make_shared<DualAdaptive>(
                             DualAdaptiveOptions().similarity(Similarity::separable).rate(correction_rate)),
                         steps, phase_rate)}},
      options, page);
}

}  // namespace optotorch::tools
