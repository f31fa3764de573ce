#include <ATen/ATen.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/detail/power.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/detail/kept_buffers.h>
#include <optotorch/trainers/rules/detail/not_finite.h>
#include <optotorch/trainers/rules/rule.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>

namespace optotorch {

namespace {

struct LossAt {
  torch::Tensor value, gradient;
};

LossAt loss_at(const std::string& rule, const torch::Tensor& output, const torch::Tensor& target,
               const Loss& loss) {
  const torch::AutoGradMode record(true);
  const auto y = output.detach().requires_grad_();
  const auto value = loss(y, target);
  OPTOTORCH_CHECK(value.numel() == 1 && value.is_floating_point(), .where = rule, .argument = "loss",
                  .expected = "a real scalar", .got = describe(value), .remedy = "Average over the batch");
  return {value.detach(), torch::autograd::grad({value}, {y})[0]};
}

void load_same(std::vector<torch::Tensor> to, const std::vector<torch::Tensor>& from) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(to.size() == from.size(), .where = "alignment", .argument = "truth",
                  .expected = c10::str("a network of ", from.size(), " parameters"),
                  .got = std::to_string(to.size()), .remedy = "");
  for (size_t i = 0; i < to.size(); ++i) {
    OPTOTORCH_CHECK(to[i].sizes() == from[i].sizes(), .where = "alignment", .argument = "truth",
                    .expected = describe(from[i]), .got = describe(to[i]), .remedy = "");
    to[i].copy_(from[i]);
  }
}

constexpr int watched_steps = 3;

/// Whether the parameters of a block that learn were given gradients, and all of them exactly zero.
bool got_zero(const HybridImpl& model, const Block& block) {
  bool taught = false;
  for (size_t layer = block.begin; layer < block.end; ++layer) {
    for (const auto& parameter : model.layer(layer).parameters()) {
      if (parameter.requires_grad() && parameter.grad().defined()) {
        if (parameter.grad().ne(0).any().item<bool>()) {
          return false;
        }
        taught = true;
      }
    }
  }
  return taught;
}

/// mean |y|^2 behind every layer; below zero where the rule did not keep it.
std::vector<double> powers(const std::vector<Pass>& passes) {
  std::vector<double> all;
  for (const auto& pass : passes) {
    all.push_back(pass.output.defined() ? mean_power(pass.output) : -1);
  }
  return all;
}

std::string listed(const std::vector<double>& powers) {
  std::string text;
  for (const double power : powers) {
    char number[32];
    std::snprintf(number, sizeof number, "%.2g", power);
    text += (text.empty() ? "" : ", ") + (power < 0 ? std::string("?") : std::string(number));
  }
  return text;
}

void check_not_inference(const std::string& rule, const torch::Tensor& input, const torch::Tensor& target) {
  const bool mode = c10::InferenceMode::is_enabled();
  const bool tensors =
      (input.defined() && input.is_inference()) || (target.defined() && target.is_inference());
  OPTOTORCH_CHECK(!mode && !tensors, .where = rule, .argument = mode ? "mode" : "input, target",
                  .expected = mode ? "LibTorch outside of c10::InferenceMode, as a step needs gradients"
                                   : "tensors that were not made in c10::InferenceMode",
                  .got = mode ? "inside" : "others",
                  .remedy = mode ? "Only Hybrid::forward works there" : "Clone them outside of it");
}

}  // namespace

std::vector<Pass> Rule::first_pass(HybridImpl& model, const torch::Tensor& input) {
  return model.propagate(input, 0, keep_of_first_pass());
}

StepResult Rule::step(HybridImpl& model, const torch::Tensor& input, const torch::Tensor& target,
                      const Loss& loss) {
  check_not_inference(name(), input, target);
  const auto blocks = model.trainable_blocks();
  OPTOTORCH_CHECK(!blocks.empty(), .where = name(), .argument = "model",
                  .expected = "a network with parameters", .got = "one without", .remedy = "");
  OPTOTORCH_CHECK(
      std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) { return model.learns(block); }),
      .where = name(), .argument = "model", .expected = "a network with a parameter that learns",
      .got = "one in which all are frozen", .remedy = "unfreeze() a layer");
  meet(model);
  const auto passes = first_pass(model, input);
  const auto [value, dL_dy] = loss_at(name(), passes.back().output, target, loss);
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(std::isfinite(value.item<double>()), .where = name(), .argument = "loss",
                  .expected = "a finite value", .got = std::to_string(value.item<double>()),
                  .remedy = remedy_for_not_finite(model, passes));
  teach(model, {passes, dL_dy,
                [&](const torch::Tensor& output) { return loss_at(name(), output, target, loss).gradient; }});
  watch(model, passes);
  return {passes.back().output, value};
}

/// Only the first steps are looked at: reading values costs time. Zero behind a read-out that begins at zero
/// passes after a step; where light is lost, once is enough.
void Rule::watch(HybridImpl& model, const std::vector<Pass>& passes) {
  if (watched_ >= watched_steps) {
    return;
  }
  ++watched_;
  const auto blocks = model.trainable_blocks();
  without_slope_.resize(blocks.size());
  std::optional<size_t> first;
  for (size_t b = 0; b < blocks.size(); ++b) {
    without_slope_[b] = got_zero(model, blocks[b]) ? without_slope_[b] + 1 : 0;
    first = first || without_slope_[b] == 0 ? first : b;
  }
  if (!first) {
    return;
  }
  const auto along = powers(passes);
  double least = INFINITY, most = 0;
  for (size_t layer = 0; layer < std::min(along.size(), blocks.back().begin); ++layer) {
    least = along[layer] >= 0 ? std::min(least, along[layer]) : least;
    most = std::max(most, along[layer]);
  }
  constexpr double dark = 1e-12;  // of the brightest: in float32 a product of two such fields is near nothing
  if (least > dark * most && without_slope_[*first] < watched_steps) {
    return;
  }
  watched_ = watched_steps;
  const auto& block = blocks[*first];
  TORCH_WARN(
      name(), ": layers ", block.begin, " to ", block.end - 1,
      " got a gradient of exactly zero: they do not learn. Mean |y|^2 behind the layers: ", listed(along),
      ". If it falls to nothing, let more light through (the bias and gain of activations, fewer of "
      "them); if not, look at the loss. freeze() what is not to learn.");
}

torch::Tensor Rule::teach_head(HybridImpl& model, const std::vector<Pass>& passes, const torch::Tensor& dL_dy,
                               bool to_input) {
  const auto head = model.trainable_blocks().back();
  torch::Tensor signal = dL_dy;
  for (const auto& block : model.blocks()) {
    // Blocks behind the head have no parameters: the error passes them by their pull-back.
    if (block.begin >= head.end) {
      OPTOTORCH_CHECK(block.end == model.size(), .where = "Hybrid", .argument = "layers",
                      .expected = "at most one block without parameters behind the head", .got = "several",
                      .remedy = "Move the optics before the electronic read-out");
      signal = model.update(block, passes, signal, &Layer::pullback, /*to_input=*/true);
    }
  }
  return model.update(head, passes, signal, &Layer::pullback, to_input);
}

void Rule::teach_backwards(HybridImpl& model, const std::vector<Pass>& passes, const torch::Tensor& dL_dy,
                           Hook hook) {
  const auto& blocks = model.blocks();
  const auto lowest =
      std::find_if(blocks.begin(), blocks.end(), [&](const Block& block) { return model.learns(block); });
  if (lowest == blocks.end()) {
    return;
  }
  const size_t first = lowest->begin;
  torch::Tensor signal = dL_dy;
  for (auto block = blocks.rbegin(); block != blocks.rend() && block->begin >= first; ++block) {
    signal = model.update(*block, passes, signal, hook, /*to_input=*/block->begin > first);
  }
}

std::vector<double> alignment(Rule& rule, HybridImpl& model, const torch::Tensor& input,
                              const torch::Tensor& target, const Loss& loss,
                              const std::optional<TrueGradient>& truth) {
  auto parameters = model.parameters();
  std::vector<torch::Tensor> before;
  before.reserve(parameters.size());
  for (auto& parameter : parameters) {
    before.push_back(parameter.grad());
  }
  rule.meet(model);
  const auto saved_state = rule.state();
  const KeptBuffers kept(model);
  const auto restore = c10::make_scope_exit([&] {
    rule.load_state(saved_state);
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].mutable_grad() = before[i];
    }
  });
  const auto gradients_by = [&](Rule& source, HybridImpl& network) {
    for (auto& parameter : network.parameters()) {
      parameter.mutable_grad() = torch::Tensor();
    }
    source.step(network, input, target, loss);
    std::vector<torch::Tensor> per_block;
    for (const auto& block : network.trainable_blocks()) {
      std::vector<torch::Tensor> flat;
      for (size_t index = block.begin; index < block.end; ++index) {
        for (const auto& parameter : network.layer(index).parameters()) {
          flat.push_back(
              (parameter.grad().defined() ? parameter.grad() : at::zeros_like(parameter)).flatten());
        }
      }
      per_block.push_back(at::cat(flat).to(torch::kFloat64));
    }
    return per_block;
  };
  const auto updates = gradients_by(rule, model);
  std::vector<torch::Tensor> gradients;
  if (truth) {
    load_same(truth->model->parameters(), parameters);
    gradients = gradients_by(*truth->rule, *truth->model);
  } else {
    BackPropagation exact;
    exact.watched_ = watched_steps;
    gradients = gradients_by(exact, model);
  }
  std::vector<double> cosines;
  for (size_t i = 0; i < updates.size(); ++i) {
    cosines.push_back(
        (at::dot(updates[i], gradients[i]) / (updates[i].norm() * gradients[i].norm())).item<double>());
  }
  return cosines;
}

}  // namespace optotorch
