#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/weights.h>

namespace optotorch {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

/// The model's own, not copied.
Tensors own_weights(const torch::nn::Module& model) {
  Tensors own;
  for (const auto& item : model.named_parameters()) {
    own[item.key()] = item.value();
  }
  for (const auto& item : model.named_buffers()) {
    own[item.key()] = item.value();
  }
  return own;
}

}  // namespace

void check_weights(const torch::nn::Module& model, const Tensors& weights) {
  const auto own = own_weights(model);
  const std::string remedy = "The weights are another network's";
  for (const auto& [name, tensor] : own) {
    const auto found = weights.find(name);
    OPTOTORCH_CHECK(found != weights.end() && found->second.sizes() == tensor.sizes() &&
                        found->second.scalar_type() == tensor.scalar_type(),
                    .where = "load_weights", .argument = name, .expected = describe(tensor),
                    .got = found == weights.end() ? "nothing" : describe(found->second), .remedy = remedy);
    check_finite("load_weights", name, found->second);
  }
  for (const auto& [name, tensor] : weights) {
    OPTOTORCH_CHECK(own.contains(name), .where = "load_weights", .argument = name,
                    .expected = "no such tensor", .got = describe(tensor), .remedy = remedy);
  }
}

Tensors weights_of(const torch::nn::Module& model) {
  auto weights = own_weights(model);
  for (auto& [name, tensor] : weights) {
    tensor = tensor.detach().clone();
  }
  return weights;
}

void load_weights(torch::nn::Module& model, const Tensors& weights) {
  const torch::NoGradGuard no_grad;
  check_weights(model, weights);
  for (auto& [name, tensor] : own_weights(model)) {
    torch::Tensor(tensor).copy_(weights.at(name));
  }
}

}  // namespace optotorch
