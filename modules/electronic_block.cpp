#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/differentiable.h>
#include <optotorch/modules/electronic_block.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/container/sequential.h>

#include <algorithm>
#include <ostream>

namespace optotorch {
namespace {

// Pass::saved of a block that kept its graph.
constexpr size_t saved_input = 0;   // a leaf that requires grad, if its type can
constexpr size_t saved_output = 1;  // the end of the graph
constexpr size_t saved_taps = 2;    // from there on: the ends of the parts before

[[noreturn]] void reject_in_place(const std::string& where) {
  reject({.where = where,
          .argument = "module",
          .expected = "a module that leaves its input as it is",
          .got = "one that works in place on it, or on what a tap returned",
          .remedy = "Make it without inplace: a rule may still read what stood there"});
}

/// True if x was changed in place after `mark`; unknown in c10::InferenceMode.
void check_not_in_place(const VersionMark& mark, const std::string& where) {
  if (mark.is_passed()) {
    reject_in_place(where);
  }
}

/// A wrapper that gives a Sequential the plain forward that AnyModule asks for.
struct Sequence : torch::nn::Module {
  explicit Sequence(std::shared_ptr<torch::nn::SequentialImpl> modules) : sequential(std::move(modules)) {}
  torch::Tensor forward(const torch::Tensor& x) { return sequential->forward(x); }
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override {
    return std::make_shared<Sequence>(clone_sequential(*sequential, device));
  }
  std::shared_ptr<torch::nn::SequentialImpl> sequential;
};

}  // namespace

std::shared_ptr<torch::nn::SequentialImpl> clone_sequential(const torch::nn::SequentialImpl& sequential,
                                                            const std::optional<torch::Device>& device) {
  auto copy = std::make_shared<torch::nn::SequentialImpl>();
  copy->train(sequential.is_training());
  const auto children = sequential.named_children();
  auto child = children.begin();
  for (const auto& module : sequential) {
    copy->push_back((child++)->key(), module.clone(device));
  }
  return copy;
}

ElectronicBlock::ElectronicBlock(torch::nn::AnyModule module) : ElectronicBlock(module, module.ptr()) {}

ElectronicBlock::ElectronicBlock(const std::shared_ptr<torch::nn::SequentialImpl>& sequential)
    : ElectronicBlock(torch::nn::AnyModule(std::make_shared<Sequence>(sequential)), sequential) {}

ElectronicBlock::ElectronicBlock(torch::nn::AnyModule module, std::shared_ptr<torch::nn::Module> shown)
    : Layer(shown->name()), any_(std::move(module)), module_(register_module("module", std::move(shown))) {}

Layer::Role ElectronicBlock::role() const {
  return module_->parameters().empty() ? Role::response : Role::component;
}

void ElectronicBlock::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined(), .where = name(), .argument = "input", .expected = "a tensor",
                  .got = describe(x));
}

torch::Tensor ElectronicBlock::compute(const torch::Tensor& x, Pass* kept) {
  if (kept == nullptr) {
    // Taps in here are not those of a module around us.
    const TapScope scope(TapScope::Mode::through);
    const VersionMark before(x);
    auto y = any_.forward<torch::Tensor>(x);
    check_not_in_place(before, name());
    return y;
  }
  return record(x, TapScope::Mode::through, *kept);
}

Pass ElectronicBlock::propagate_parts(const torch::Tensor& x) {
  check_input(x);
  Pass pass{x.detach(), {}};
  pass.output = record(pass.input, TapScope::Mode::cut, pass);
  mark(pass);
  return pass;
}

torch::Tensor ElectronicBlock::record(const torch::Tensor& x, TapScope::Mode mode, Pass& kept) {
  OPTOTORCH_CHECK(!c10::InferenceMode::is_enabled(), .where = name(), .argument = "mode",
                  .expected = "LibTorch outside of c10::InferenceMode, as the pull-back needs a graph",
                  .got = "inside", .remedy = "Take Keep::nothing, or forward(), if nothing is to be learnt");
  const torch::AutoGradMode with_graph(true);
  const TapScope scope(mode);
  const auto leaf = x.is_floating_point() || x.is_complex() ? x.detach().requires_grad_() : x;
  torch::Tensor y;
  try {
    y = any_.forward<torch::Tensor>(leaf);
  } catch (const c10::Error& error) {
    if (std::string(error.what_without_backtrace()).find("in-place operation") != std::string::npos) {
      reject_in_place(name());
    }
    throw;
  }
  kept.saved = {leaf, y};
  kept.saved.insert(kept.saved.end(), scope.taps().begin(), scope.taps().end());
  return y.detach();
}

/// Adds to the `.grad` of all parameters before `ends`, from signals there. Returns the signal at `input`, if
/// that is defined and anything leads to it.
torch::Tensor ElectronicBlock::learn(const std::vector<torch::Tensor>& ends,
                                     const std::vector<torch::Tensor>& signals, const torch::Tensor& input) {
  auto parameters = module_->parameters();
  std::erase_if(parameters, [](const torch::Tensor& p) { return !p.requires_grad(); });
  auto inputs = parameters;
  if (input.defined()) {
    inputs.push_back(input);
  }
  if (ends.empty() || inputs.empty()) {
    return {};
  }
  // The graph is kept: it belongs to the pass, which may be pulled back again and frees it.
  const auto gradients =
      torch::autograd::grad(ends, inputs, signals, /*retain_graph=*/true, /*create_graph=*/false,
                            /*allow_unused=*/true);
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (gradients[i].defined()) {
      accumulate(parameters[i], gradients[i]);
    }
  }
  return input.defined() ? gradients.back() : torch::Tensor();
}

std::vector<torch::Tensor> ElectronicBlock::taps(const Pass& pass) const {
  return {pass.saved.begin() + std::min(pass.saved.size(), saved_taps), pass.saved.end()};
}

void ElectronicBlock::tap_update(const Pass& pass, const std::vector<torch::Tensor>& signals) {
  const auto all = taps(pass);
  OPTOTORCH_CHECK(signals.size() == all.size(), .where = name(), .argument = "signals",
                  .expected = c10::str(all.size(), ", one for every tap"), .got = c10::str(signals.size()));
  std::vector<torch::Tensor> ends, at_ends;
  for (size_t i = 0; i < all.size(); ++i) {
    OPTOTORCH_CHECK(signals[i].defined() && signals[i].sizes() == all[i].sizes() &&
                        signals[i].scalar_type() == all[i].scalar_type(),
                    .where = name(), .argument = c10::str("signal at tap ", i), .expected = describe(all[i]),
                    .got = describe(signals[i]));
    // A tap of the input itself, or of what frozen parameters made of a constant, has nothing to teach.
    if (all[i].grad_fn()) {
      ends.push_back(all[i]);
      at_ends.push_back(signals[i]);
    }
  }
  learn(ends, at_ends, {});
}

torch::Tensor ElectronicBlock::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto& x = pass.saved.at(saved_input);
  const auto& y = pass.saved.at(saved_output);
  torch::Tensor dL_dx;
  if (y.requires_grad()) {
    dL_dx = learn({y}, {dL_dy}, to_input && x.requires_grad() ? x : torch::Tensor());
  }
  return to_input && !dL_dx.defined() ? at::zeros_like(pass.input) : dL_dx;
}

torch::Tensor ElectronicBlock::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  if (role() == Role::response && signal.sizes() == pass.input.sizes()) {
    return to_input ? signal : torch::Tensor();
  }
  return pullback(pass, signal, to_input);
}

Footprint ElectronicBlock::footprint() const {
  Footprint all;
  for (const auto& module : module_->modules()) {
    if (const auto* optical = dynamic_cast<const DifferentiableImpl*>(module.get())) {
      add(all, optical->layer()->footprint());
    }
  }
  return all;
}

Adjoint ElectronicBlock::adjoint(const torch::Tensor& x) const {
  if (role() == Role::response) {
    const auto self = std::dynamic_pointer_cast<ElectronicBlock>(clone());
    self->eval();
    if (self->propagate(x, Keep::nothing).output.sizes() == x.sizes()) {
      return {{}, [](const torch::Tensor& u) { return u; }};
    }
  }
  return Layer::adjoint(x);
}

Deployment ElectronicBlock::deploy() {
  Deployment deployment;
  auto optics = std::make_shared<Deployments>();
  std::vector<std::string> replaced;  // names that begin so
  const auto is_replaced = [&replaced](const std::string& name) {
    return std::any_of(replaced.begin(), replaced.end(),
                       [&name](const std::string& prefix) { return name.starts_with(prefix); });
  };
  for (const auto& item : module_->named_modules()) {
    const auto* optical = dynamic_cast<const DifferentiableImpl*>(item.value().get());
    if (optical == nullptr || is_replaced(item.key())) {
      continue;
    }
    replaced.push_back(item.key().empty() ? "layer." : item.key() + ".layer.");
    const auto [layer, is_new] = optics->try_emplace(optical->layer().get());
    if (is_new) {
      layer->second = optical->layer()->deploy();
      for (const auto& [name, tensor] : layer->second.tensors) {
        deployment.tensors.emplace_back(replaced.back() + name, tensor);
      }
    }
  }
  const auto keep = [&](const torch::OrderedDict<std::string, torch::Tensor>& tensors) {
    for (const auto& item : tensors) {
      if (!is_replaced(item.key())) {
        deployment.tensors.emplace_back(item.key(), item.value());
      }
    }
  };
  keep(module_->named_parameters());
  keep(module_->named_buffers());
  deployment.forward = [any = any_, optics](const torch::Tensor& x) mutable {
    const DeployedScope deployed(*optics);
    const TapScope without_taps(TapScope::Mode::through);
    return any.forward<torch::Tensor>(x);
  };
  return deployment;
}

std::shared_ptr<torch::nn::Module> ElectronicBlock::clone(const std::optional<torch::Device>& device) const {
  auto any = any_.clone(device);
  auto shown = any.ptr();
  if (const auto sequence = std::dynamic_pointer_cast<Sequence>(shown)) {
    shown = sequence->sequential;
  }
  set_frozen(*shown, frozen_parameters(*module_));
  return std::shared_ptr<ElectronicBlock>(new ElectronicBlock(std::move(any), std::move(shown)));
}

void ElectronicBlock::pretty_print(std::ostream& stream) const {
  module_->pretty_print(stream);
}

}  // namespace optotorch
