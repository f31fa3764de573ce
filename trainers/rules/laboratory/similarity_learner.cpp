#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <optotorch/trainers/rules/laboratory/similarity_learner.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace optotorch {
namespace {

/// ||x||_2 of each sample, [batch, 1].
torch::Tensor size_of(const torch::Tensor& x) {
  return x.norm(2, /*dim=*/1, /*keepdim=*/true).clamp_min(1e-12);
}

struct Comparison {
  torch::Tensor loss, dL_ds;
};

/// sum (|S| - |P|)^2 / sum |P|^2 over the first `ports` values.
Comparison compare_amplitudes(const torch::Tensor& s, const torch::Tensor& reading, int64_t ports) {
  const auto flat = s.flatten(1), measured = reading.flatten(1).clamp_min(0).sqrt();
  auto off = flat.abs() - measured;
  off.narrow(1, ports, off.size(1) - ports).zero_();
  const auto light = measured.narrow(1, 0, ports).square().sum().clamp_min(1e-30);
  return {off.square().sum() / light, (at::sgn(flat) * (off * (2 / light))).view(s.sizes())};
}

/// mean (nu(S) - nu(P))^2 over the first `ports` values.
Comparison compare(const torch::Tensor& s, const torch::Tensor& reading, int64_t ports, Compared compared) {
  if (s.is_complex() && compared == Compared::amplitudes) {
    return compare_amplitudes(s, reading, ports);
  }
  const torch::AutoGradMode record(true);
  const auto leaf = s.detach().requires_grad_();
  const auto measured = reading.flatten(1);
  torch::Tensor difference;
  if (leaf.is_complex()) {
    const auto power = at::view_as_real(leaf).square().sum(-1).flatten(1);
    difference = power / size_of(power) - measured / size_of(measured);
  } else {
    difference = (leaf.flatten(1) - measured) / size_of(measured);
  }
  const auto loss = difference.narrow(1, 0, ports).square().mean();
  return {loss.detach(), torch::autograd::grad({loss}, {leaf})[0]};
}

torch::Tensor bytes_of(const std::string& text) {
  auto bytes = torch::empty({static_cast<int64_t>(text.size())}, torch::kByte);
  std::copy(text.begin(), text.end(), bytes.mutable_data_ptr<uint8_t>());
  return bytes;
}

std::string text_of(const torch::Tensor& bytes) {
  const auto* data = bytes.const_data_ptr<uint8_t>();
  return {data, data + bytes.numel()};
}

}  // namespace

SimilarityLearner::SimilarityLearner(std::string owner, SimilarityOptions options)
    : options_(std::move(options)), owner_(std::move(owner)) {
  const auto check = [this](const char* argument, bool good, const char* expected, double got) {
    OPTOTORCH_CHECK(good, .where = owner_, .argument = argument, .expected = expected, .got = c10::str(got));
  };
  check("rate", std::isfinite(options_.rate()) && options_.rate() > 0, "a positive number", options_.rate());
  check("beta2", options_.beta2() >= 0 && options_.beta2() < 1, "0 to below 1", options_.beta2());
  check("steps", options_.steps() >= 1, "at least 1", static_cast<double>(options_.steps()));
  check("compared_ports", options_.compared_ports() >= 0, "at least 0",
        static_cast<double>(options_.compared_ports()));
  check("similarity_to_phases", std::isfinite(options_.to_phases()) && options_.to_phases() >= 0,
        "at least 0", options_.to_phases());
}

void SimilarityLearner::adopt(const PhysicalNetworkImpl& network) {
  if (optimizer_ != nullptr && corrections_ == network.corrections()) {
    return;
  }
  std::vector<torch::Tensor> parameters;
  for (const auto& correction : network.corrections()) {
    const auto own = correction->parameters();
    parameters.insert(parameters.end(), own.begin(), own.end());
  }
  auto corrections = std::exchange(corrections_, network.corrections());
  const auto adam = torch::optim::AdamOptions(options_.rate()).betas({0.9, options_.beta2()});
  auto optimizer = std::exchange(optimizer_, std::make_unique<torch::optim::Adam>(parameters, adam));
  try {
    if (!pending_.empty()) {
      load_state(pending_);
    }
  } catch (...) {
    corrections_ = std::move(corrections);
    optimizer_ = std::move(optimizer);
    throw;
  }
  pending_.clear();
}

double SimilarityLearner::learn(const PhysicalNetworkImpl& network, const torch::Tensor& x,
                                const Readings& readings, bool phases_learn) {
  adopt(network);
  const bool separable = options_.similarity() == Similarity::separable;
  const auto states = network.model(x, separable ? &readings : nullptr, separable);
  const size_t count = states.size();
  std::vector<torch::Tensor> signals(count);
  double loss = 0;
  for (size_t n = 0; n < count; ++n) {
    const bool last = n + 1 == count;
    if (!last && options_.similarity() == Similarity::output) {
      continue;
    }
    const auto& reading = readings.behind[n];
    OPTOTORCH_CHECK(reading.defined(), .where = owner_, .argument = "similarity",
                    .expected = "readings behind every stage", .got = "a system without monitors",
                    .remedy = "Use Similarity::output");
    const int64_t ports = reading.numel() / std::max<int64_t>(1, reading.size(0));
    const int64_t compared =
        last && options_.compared_ports() > 0 ? std::min(options_.compared_ports(), ports) : ports;
    const auto [value, dL_ds] = compare(states[n].prediction.s, reading, compared, options_.compared());
    loss += value.item<double>();
    signals[n] = dL_ds;
  }
  OPTOTORCH_CHECK(std::isfinite(loss), .where = owner_, .argument = "similarity loss",
                  .expected = "a finite value", .got = std::to_string(loss),
                  .remedy = "Lower the corrections' rate");
  optimizer_->zero_grad();
  const auto send = [&](Correction::Learns learns) {
    if (!separable) {
      network.pullback_model(states, signals, learns);
      return;
    }
    for (size_t n = 0; n < count; ++n) {
      network.corrections()[n]->pullback(*network.stages()[n], states[n].prediction, signals[n], learns,
                                         /*to_input=*/false);
    }
  };
  send(Correction::Learns::correction);
  if (phases_learn && options_.to_phases() > 0) {
    for (auto& signal : signals) {
      signal = signal.defined() ? signal * options_.to_phases() : signal;
    }
    send(Correction::Learns::stage);
  }
  auto& adam = static_cast<torch::optim::AdamOptions&>(optimizer_->param_groups()[0].options());
  adam.lr(options_.rate() * options_.schedule()(std::min(steps_, options_.steps()), options_.steps()));
  ++steps_;
  optimizer_->step();
  for (const auto& correction : network.corrections()) {
    correction->constrain();
  }
  return loss;
}

std::map<std::string, torch::Tensor> SimilarityLearner::state() const {
  if (optimizer_ == nullptr) {
    return pending_;
  }
  auto state = parameters_of(corrections_);
  state["similarity_steps"] = torch::tensor(steps_);
  const auto adam = optimizer_state(*optimizer_);
  for (const auto& [key, tensor] : adam.tensors) {
    state["optimizer" + key] = tensor;
  }
  state["optimizer"] = bytes_of(adam.tree);
  return state;
}

void SimilarityLearner::load_state(const std::map<std::string, torch::Tensor>& state) {
  if (optimizer_ == nullptr) {
    pending_ = state;  // until the network brings its corrections
    return;
  }
  const auto find = [&](const std::string& key, torch::ScalarType type) {
    const auto found = state.find(key);
    OPTOTORCH_CHECK(found != state.end() && found->second.scalar_type() == type, .where = owner_,
                    .argument = "state", .expected = key + ", " + type_name(type), .got = "none, or another",
                    .remedy = "The checkpoint was written with another rule or other corrections");
    return found->second;
  };
  const auto steps = find("similarity_steps", torch::kLong);
  OPTOTORCH_CHECK(steps.numel() == 1 && steps.item<int64_t>() >= 0, .where = owner_, .argument = "state",
                  .expected = "a number of steps", .got = describe(steps));
  const auto before = parameters_of(corrections_);
  OptimizerState adam{{}, text_of(find("optimizer", torch::kByte))};
  for (const auto& [key, tensor] : state) {
    if (key.starts_with("optimizer/")) {
      adam.tensors[key.substr(std::string("optimizer").size())] = tensor;
    }
  }
  load_parameters(owner_, corrections_, state);
  try {
    load_optimizer_state(*optimizer_, adam);
  } catch (...) {
    load_parameters(owner_, corrections_, before);
    throw;
  }
  steps_ = steps.item<int64_t>();
}

}  // namespace optotorch
