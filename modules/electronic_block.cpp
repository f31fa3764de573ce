#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/electronic_block.h>
#include <torch/csrc/autograd/autograd.h>

#include <ostream>

namespace optotorch {
namespace {

// Pass::saved of a block that kept its graph.
constexpr size_t saved_input = 0;   // a leaf that requires grad, if its type can
constexpr size_t saved_output = 1;  // the end of the graph

[[noreturn]] void reject_in_place(const std::string& where) {
  reject({.where = where,
          .argument = "module",
          .expected = "a module that leaves its input as it is",
          .got = "one that works in place",
          .remedy = "Make it without inplace: a rule may still read the output of the layer before it"});
}

}  // namespace

ElectronicBlock::ElectronicBlock(torch::nn::AnyModule module)
    : Layer(module.ptr()->name()), any_(std::move(module)), module_(register_module("module", any_.ptr())) {}

Layer::Role ElectronicBlock::role() const {
  return module_->parameters().empty() ? Role::response : Role::component;
}

void ElectronicBlock::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined(), .where = name(), .argument = "input", .expected = "a tensor",
                  .got = describe(x), .remedy = "");
}

torch::Tensor ElectronicBlock::compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) {
  if (saved == nullptr) {
    const auto version = x._version();
    auto y = any_.forward<torch::Tensor>(x);
    if (x._version() != version) {
      reject_in_place(name());
    }
    return y;
  }
  const torch::AutoGradMode record(true);
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
  *saved = {leaf, y};
  return y.detach();
}

torch::Tensor ElectronicBlock::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto& y = pass.saved.at(saved_output);
  auto parameters = module_->parameters();
  std::erase_if(parameters, [](const torch::Tensor& p) { return !p.requires_grad(); });
  auto inputs = parameters;
  const bool input_has_gradient = to_input && pass.saved[saved_input].requires_grad();
  if (input_has_gradient) {
    inputs.push_back(pass.saved[saved_input]);
  }
  if (inputs.empty() || !y.requires_grad()) {
    return to_input ? at::zeros_like(pass.input) : torch::Tensor();
  }
  // The graph is kept: it belongs to the pass, which may be pulled back again and frees it.
  const auto gradients =
      torch::autograd::grad({y}, inputs, {dL_dy}, /*retain_graph=*/true, /*create_graph=*/false,
                            /*allow_unused=*/true);
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (gradients[i].defined()) {
      accumulate(parameters[i], gradients[i]);
    }
  }
  if (!to_input) {
    return {};
  }
  return input_has_gradient && gradients.back().defined() ? gradients.back() : at::zeros_like(pass.input);
}

torch::Tensor ElectronicBlock::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  if (role() == Role::response && signal.sizes() == pass.input.sizes()) {
    return to_input ? signal : torch::Tensor();
  }
  return pullback(pass, signal, to_input);
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
  for (const auto& parameter : module_->named_parameters()) {
    deployment.tensors.emplace_back(parameter.key(), parameter.value());
  }
  for (const auto& buffer : module_->named_buffers()) {
    deployment.tensors.emplace_back(buffer.key(), buffer.value());
  }
  deployment.forward = [any = any_](const torch::Tensor& x) mutable { return any.forward<torch::Tensor>(x); };
  return deployment;
}

std::shared_ptr<torch::nn::Module> ElectronicBlock::clone(const std::optional<torch::Device>& device) const {
  return std::make_shared<ElectronicBlock>(any_.clone(device));
}

void ElectronicBlock::pretty_print(std::ostream& stream) const {
  module_->pretty_print(stream);
}

}  // namespace optotorch
