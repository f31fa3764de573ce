#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/freeze.h>

#include <algorithm>
#include <set>

namespace optotorch {
namespace {

/// Only these can learn at all.
bool has_slope(const torch::Tensor& parameter) {
  return parameter.is_floating_point() || parameter.is_complex();
}

void set_learning(torch::Tensor& parameter, bool learns) {
  if (parameter.requires_grad() == learns || !has_slope(parameter)) {
    return;
  }
  parameter.requires_grad_(learns);
  if (!learns) {
    parameter.mutable_grad() = torch::Tensor();
  }
}

void set_learning(torch::nn::Module& module, bool learns) {
  for (auto& parameter : module.parameters()) {
    set_learning(parameter, learns);
  }
}

}  // namespace

void freeze(torch::nn::Module& module) {
  set_learning(module, false);
}

void unfreeze(torch::nn::Module& module) {
  set_learning(module, true);
}

bool is_trainable(const torch::nn::Module& module) {
  const auto parameters = module.parameters();
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const torch::Tensor& parameter) { return parameter.requires_grad(); });
}

std::vector<std::string> frozen_parameters(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& item : module.named_parameters()) {
    if (!item.value().requires_grad() && has_slope(item.value())) {
      names.push_back(item.key());
    }
  }
  return names;
}

void set_frozen(torch::nn::Module& module, const std::vector<std::string>& names) {
  auto parameters = module.named_parameters();
  for (const auto& name : names) {
    OPTOTORCH_CHECK(parameters.contains(name), .where = module.name(), .argument = "frozen",
                    .expected = "names of its parameters", .got = "'" + name + "'",
                    .remedy = "They are another network's");
  }
  const std::set<std::string> frozen(names.begin(), names.end());
  for (auto& item : parameters) {
    set_learning(item.value(), !frozen.contains(item.key()));
  }
}

}  // namespace optotorch
