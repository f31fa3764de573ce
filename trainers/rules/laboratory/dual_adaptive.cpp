#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

#include <limits>

namespace optotorch {
namespace {

constexpr char in_dat[] = "dat";

SimilarityOptions similarity_of(const DualAdaptiveOptions& options) {
  return SimilarityOptions()
      .similarity(options.similarity())
      .compared(options.compared())
      .compared_ports(options.compared_ports())
      .rate(options.rate())
      .beta2(options.beta2())
      .steps(options.steps())
      .schedule(options.schedule())
      .to_phases(options.similarity_to_phases());
}

/// Before the names of what PhysicalNetwork number k's learner keeps.
std::string prefix(size_t k) {
  return k == 0 ? "" : c10::str("network", k, ".");
}

/// The part of a state that belongs to learner k, without the prefix.
std::map<std::string, torch::Tensor> own_state(const std::map<std::string, torch::Tensor>& state, size_t k) {
  std::map<std::string, torch::Tensor> own;
  for (const auto& [name, tensor] : state) {
    const bool is_first = !name.starts_with("network");
    if (name != "steps" && (k == 0 ? is_first : name.starts_with(prefix(k)))) {
      own[name.substr(prefix(k).size())] = tensor;
    }
  }
  return own;
}

}  // namespace

DualAdaptive::DualAdaptive(const DualAdaptiveOptions& options)
    : calibration_steps_(options.calibration_steps()),
      warm_up_steps_(options.warm_up_steps()),
      similarity_(similarity_of(options)),
      similarity_loss_(std::numeric_limits<double>::quiet_NaN()) {
  for (const auto& [argument, value] :
       {std::pair{"calibration_steps", calibration_steps_}, std::pair{"warm_up_steps", warm_up_steps_}}) {
    OPTOTORCH_CHECK(value >= 0, .where = in_dat, .argument = argument, .expected = "at least 0",
                    .got = std::to_string(value));
  }
  const SimilarityLearner checked(in_dat, similarity_);  // its options, before a network is met
}

void DualAdaptive::meet(HybridImpl& model) {
  const auto networks = laboratory_networks(in_dat, model);
  for (const auto& placed : networks) {
    OPTOTORCH_CHECK(!placed.network->corrections().empty(), .where = in_dat, .argument = "model",
                    .expected = "a PhysicalNetwork with corrections", .got = "one without",
                    .remedy = "Give it corrections by set_corrections, or use PhysicsAware");
  }
  OPTOTORCH_CHECK(learners_.empty() || learners_.size() == networks.size(), .where = in_dat,
                  .argument = "model", .expected = c10::str(learners_.size(), " PhysicalNetworks, as before"),
                  .got = std::to_string(networks.size()));
  if (learners_.empty()) {
    std::vector<std::unique_ptr<SimilarityLearner>> learners;
    for (size_t k = 0; k < networks.size(); ++k) {
      learners.push_back(std::make_unique<SimilarityLearner>(in_dat, similarity_));
      learners.back()->load_state(own_state(pending_, k));
      learners.back()->adopt(*networks[k].network);
    }
    learners_ = std::move(learners);
    pending_.clear();
  }
  for (size_t k = 0; k < networks.size(); ++k) {
    learners_[k]->adopt(*networks[k].network);
  }
}

std::vector<Pass> DualAdaptive::first_pass(HybridImpl& model, const torch::Tensor& input) {
  meet(model);
  double loss = 0;
  auto passes =
      passes_around(in_dat, model, input, keep_of_first_pass(),
                    [&](PhysicalNetworkImpl& network, size_t number, const torch::Tensor& x) {
                      auto pass = network.measure(x);
                      network.strength = 1;
                      loss += learners_.at(number)->learn(network, x, network.readings_of(pass),
                                                          /*phases_learn=*/steps_ >= calibration_steps_);
                      network.strength = steps_ < calibration_steps_ + warm_up_steps_ ? 0 : 1;
                      return network.with_model(pass);
                    });
  similarity_loss_ = loss;
  return passes;
}

void DualAdaptive::teach(HybridImpl& model, const Lesson& lesson) {
  if (steps_++ >= calibration_steps_) {
    teach_backwards(model, lesson.passes, lesson.dL_dy(), &Layer::dat_update);
  }
}

std::map<std::string, torch::Tensor> DualAdaptive::state() const {
  if (learners_.empty()) {
    return pending_;
  }
  std::map<std::string, torch::Tensor> all;
  for (size_t k = 0; k < learners_.size(); ++k) {
    for (const auto& [name, tensor] : learners_[k]->state()) {
      all[prefix(k) + name] = tensor;
    }
  }
  all["steps"] = torch::tensor(steps_);
  return all;
}

void DualAdaptive::load_state(const std::map<std::string, torch::Tensor>& state) {
  if (state.empty()) {  // of a rule that had met no network
    learners_.clear();
    pending_.clear();
    steps_ = 0;
    return;
  }
  const auto steps = state.find("steps");
  OPTOTORCH_CHECK(steps != state.end() && steps->second.scalar_type() == torch::kLong &&
                      steps->second.numel() == 1 && steps->second.item<int64_t>() >= 0,
                  .where = in_dat, .argument = "state", .expected = "steps, an int64",
                  .got = "none, or another", .remedy = "The checkpoint was written with another rule");
  const int64_t taken = steps->second.item<int64_t>();
  if (learners_.empty()) {
    pending_ = state;
  }
  const auto before = this->state();
  try {
    for (size_t k = 0; k < learners_.size(); ++k) {
      learners_[k]->load_state(own_state(state, k));
    }
  } catch (...) {
    for (size_t k = 0; k < learners_.size(); ++k) {
      learners_[k]->load_state(own_state(before, k));
    }
    throw;
  }
  steps_ = taken;
}

}  // namespace optotorch
