#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/between.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/ops/photodetect.h>

#include <utility>

namespace optotorch {
namespace {

std::vector<StageDesign> designs_of(const std::vector<std::shared_ptr<BuiltStage>>& stages) {
  std::vector<StageDesign> designs;
  for (const auto& stage : stages) {
    designs.push_back(stage->design());
  }
  return designs;
}

std::vector<std::shared_ptr<BuiltStage>> built(const std::vector<Chip>& chips) {
  std::vector<std::shared_ptr<BuiltStage>> stages;
  for (const auto& chip : chips) {
    stages.push_back(optotorch::built(chip));
  }
  return stages;
}

}  // namespace

SimulatedSystem::SimulatedSystem(const Chip& chip) : SimulatedSystem(std::vector<Chip>{chip}) {
  hours_ = chip.hours();
}

SimulatedSystem::SimulatedSystem(const std::vector<Chip>& chips, const SimulatedSystemOptions& options)
    : SimulatedSystem(built(chips), options) {
  hours_ = chips.front().hours();
}

SimulatedSystem::SimulatedSystem(std::vector<std::shared_ptr<BuiltStage>> stages,
                                 const SimulatedSystemOptions& options)
    : PhysicalSystem(designs_of(stages), options.monitors()),
      stages_(std::move(stages)),
      between_(options.between()) {
  const size_t gaps = stages_.size() - 1;
  if (between_.empty()) {
    between_.assign(gaps, options.activation());
  }
  OPTOTORCH_CHECK(between_.size() == gaps, .where = "SimulatedSystem", .argument = "between",
                  .expected = c10::str(gaps, ", one for every two stages"),
                  .got = std::to_string(between_.size()));
}

void SimulatedSystem::set_time(double hours) {
  std::vector<std::shared_ptr<BuiltStage>> then;
  for (size_t n = 0; n < stages_.size(); ++n) {
    then.push_back(stages_[n]->at(hours));
    if (!commanded_.empty()) {
      then.back()->command(commanded_[n]);
    }
  }
  stages_ = std::move(then);
  hours_ = hours;
}

std::vector<std::string> SimulatedSystem::between() const {
  std::vector<std::string> all;
  for (const auto& layer : between_) {
    all.push_back(optotorch::between(layer.get()));
  }
  return all;
}

void SimulatedSystem::command(const std::vector<Values>& commands) {
  commanded_ = commands;
  for (size_t n = 0; n < stages_.size(); ++n) {
    stages_[n]->command(commands[n]);
  }
}

std::vector<at::Tensor> SimulatedSystem::read(const at::Tensor& x) {
  std::vector<at::Tensor> readings;
  auto light = x;
  for (size_t n = 0; n < stages_.size(); ++n) {
    if (n > 0 && between_[n - 1] != nullptr) {
      light = between_[n - 1]->forward(light);
    }
    light = stages_[n]->respond(light);
    if (has_monitors() || n + 1 == stages_.size()) {
      const auto ideal = stages()[n].delivers_field ? ops::photodetect(light) : light;
      readings.push_back(stages_[n]->read_out(ideal, measurements()));
    }
  }
  return readings;
}

}  // namespace optotorch
