#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

#include <algorithm>

namespace optotorch {

AdaptiveTraining::AdaptiveTraining(int64_t steps_per_stage) : steps_per_stage_(steps_per_stage) {
  OPTOTORCH_CHECK(steps_per_stage >= 1, .where = name(), .argument = "steps_per_stage",
                  .expected = "at least 1", .got = std::to_string(steps_per_stage));
}

size_t AdaptiveTraining::frozen_stages(const PhysicalNetworkImpl& network) const {
  return std::min(static_cast<size_t>(1 + steps_ / steps_per_stage_), network.stages().size() - 1);
}

void AdaptiveTraining::teach(HybridImpl& model, const Lesson& lesson) {
  InSilico::teach(model, lesson);
  ++steps_;
}

std::map<std::string, torch::Tensor> AdaptiveTraining::state() const {
  auto state = InSilico::state();
  state["steps"] = torch::tensor(steps_);
  return state;
}

void AdaptiveTraining::load_state(const std::map<std::string, torch::Tensor>& state) {
  const auto steps = state.find("steps");
  OPTOTORCH_CHECK(steps != state.end() && steps->second.scalar_type() == torch::kLong &&
                      steps->second.numel() == 1 && steps->second.item<int64_t>() >= 0,
                  .where = name(), .argument = "state", .expected = "steps, an int64",
                  .got = "none, or another", .remedy = "The checkpoint was written with another rule");
  const int64_t taken = steps->second.item<int64_t>();
  auto rest = state;
  rest.erase("steps");
  InSilico::load_state(rest);
  steps_ = taken;
}

}  // namespace optotorch
