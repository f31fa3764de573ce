#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/detail/power.h>
#include <optotorch/trainers/rules/detail/not_finite.h>
#include <optotorch/trainers/rules/rule.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>

namespace optotorch {

namespace {

constexpr int watched_steps = 3;

/// True if the parameters of a block that learn were given gradients, and all of them exactly zero.
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

Lesson::Lesson(std::string rule, const std::vector<Pass>& passes_, torch::Tensor target, Loss loss)
    : passes(passes_), rule_(std::move(rule)), target_(std::move(target)), loss_(std::move(loss)) {
  output_ = passes.back().output.detach().requires_grad_();
  value_ = value_of(output_);
}

torch::Tensor Lesson::value_of(const torch::Tensor& output) const {
  const torch::AutoGradMode record(output.requires_grad());
  auto value = loss_(output, target_);
  OPTOTORCH_CHECK(value.numel() == 1 && value.is_floating_point(), .where = rule_, .argument = "loss",
                  .expected = "a real scalar", .got = describe(value), .remedy = "Average over the batch");
  return value;
}

const torch::Tensor& Lesson::dL_dy() const {
  if (!dL_dy_.defined()) {
    dL_dy_ = torch::autograd::grad({value_}, {output_})[0];
  }
  return dL_dy_;
}

torch::Tensor Lesson::loss_at(const torch::Tensor& output) const {
  return value_of(output.detach());
}

torch::Tensor Lesson::gradient_at(const torch::Tensor& output) const {
  const auto y = output.detach().requires_grad_();
  return torch::autograd::grad({value_of(y)}, {y})[0];
}

std::vector<Pass> Rule::first_pass(HybridImpl& model, const torch::Tensor& input) {
  return model.propagate(input, 0, keep_of_first_pass());
}

StepResult Rule::step(HybridImpl& model, const torch::Tensor& input, const torch::Tensor& target,
                      const Loss& loss) {
  check_not_inference(name(), input, target);
  const auto blocks = model.trainable_blocks();
  OPTOTORCH_CHECK(!blocks.empty(), .where = name(), .argument = "model",
                  .expected = "a network with parameters", .got = "one without");
  OPTOTORCH_CHECK(
      std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) { return model.learns(block); }),
      .where = name(), .argument = "model", .expected = "a network with a parameter that learns",
      .got = "one in which all are frozen", .remedy = "unfreeze() a layer");
  meet(model);
  const auto passes = first_pass(model, input);
  const Lesson lesson(name(), passes, target, loss);
  const auto value = lesson.loss();
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(std::isfinite(value.item<double>()), .where = name(), .argument = "loss",
                  .expected = "a finite value", .got = std::to_string(value.item<double>()),
                  .remedy = remedy_for_not_finite(model, passes));
  teach(model, lesson);
  watch(model, passes);
  return {passes.back().output, value};
}

/// Only the first steps are looked at: reading values costs time. Zero behind a read-out that begins at zero
/// passes after a step; where light is lost, once is enough.
void Rule::watch_nothing() {
  watched_ = watched_steps;
}

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

}  // namespace optotorch
