#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

#include <limits>

namespace optotorch {
namespace {

constexpr char rule[] = "dat";

SimilarityOptions similarity_of(const DualAdaptiveOptions& options) {
  return SimilarityOptions()
      .similarity(options.similarity())
      .compared_ports(options.compared_ports())
      .rate(options.rate())
      .beta2(options.beta2())
      .steps(options.steps())
      .schedule(options.schedule())
      .to_phases(options.similarity_to_phases());
}

}  // namespace

DualAdaptive::DualAdaptive(const DualAdaptiveOptions& options)
    : calibration_steps_(options.calibration_steps()),
      warm_up_steps_(options.warm_up_steps()),
      learner_(rule, similarity_of(options)),
      similarity_loss_(std::numeric_limits<double>::quiet_NaN()) {
  for (const auto& [argument, value] :
       {std::pair{"calibration_steps", calibration_steps_}, std::pair{"warm_up_steps", warm_up_steps_}}) {
    OPTOTORCH_CHECK(value >= 0, .where = rule, .argument = argument, .expected = "at least 0",
                    .got = std::to_string(value));
  }
}

void DualAdaptive::meet(HybridImpl& model) {
  const auto* const network = laboratory_network(rule, model).first;
  OPTOTORCH_CHECK(!network->corrections().empty(), .where = rule, .argument = "model",
                  .expected = "a PhysicalNetwork with corrections", .got = "one without",
                  .remedy = "Give it corrections by set_corrections, or use PhysicsAware");
  learner_.adopt(*network);
}

std::vector<Pass> DualAdaptive::first_pass(HybridImpl& model, const torch::Tensor& input) {
  auto [network, index] = laboratory_network(rule, model);
  return passes_around(model, index, input, keep_of_first_pass(), [&](const torch::Tensor& x) {
    auto pass = network->measure(x);
    network->strength = 1;
    similarity_loss_ = learner_.learn(*network, x, network->readings_of(pass),
                                      /*phases_learn=*/steps_ >= calibration_steps_);
    network->strength = steps_ < calibration_steps_ + warm_up_steps_ ? 0 : 1;
    return network->with_model(pass);
  });
}

void DualAdaptive::teach(HybridImpl& model, const Lesson& lesson) {
  if (steps_++ >= calibration_steps_) {
    teach_backwards(model, lesson.passes, lesson.dL_dy(), &Layer::dat_update);
  }
}

std::map<std::string, torch::Tensor> DualAdaptive::state() const {
  auto state = learner_.state();
  if (!state.empty()) {
    state["steps"] = torch::tensor(steps_);
  }
  return state;
}

void DualAdaptive::load_state(const std::map<std::string, torch::Tensor>& state) {
  if (state.empty()) {  // of a rule that had met no network
    learner_.load_state({});
    steps_ = 0;
    return;
  }
  const auto steps = state.find("steps");
  OPTOTORCH_CHECK(steps != state.end() && steps->second.scalar_type() == torch::kLong &&
                      steps->second.numel() == 1 && steps->second.item<int64_t>() >= 0,
                  .where = rule, .argument = "state", .expected = "steps, an int64",
                  .got = "none, or another", .remedy = "The checkpoint was written with another rule");
  const int64_t taken = steps->second.item<int64_t>();
  auto rest = state;
  rest.erase("steps");
  learner_.load_state(rest);
  steps_ = taken;
}

}  // namespace optotorch
