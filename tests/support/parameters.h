#pragma once

// Parameters by name, what they have learnt, and whether two sets are the same.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include <map>
#include <string>

namespace optotorch::testing {

using Parameters = std::map<std::string, torch::Tensor>;

/// The tensors themselves.
inline Parameters parameters_of(const torch::nn::Module& module) {
  Parameters all;
  for (const auto& item : module.named_parameters()) {
    all[item.key()] = item.value();
  }
  return all;
}

inline Parameters copies(const Parameters& parameters) {
  Parameters result;
  for (const auto& [name, tensor] : parameters) {
    result[name] = tensor.clone();
  }
  return result;
}

/// Their gradients, which they lose; undefined of what has none.
inline Parameters take_gradients(const Parameters& parameters) {
  Parameters result;
  for (const auto& [name, parameter] : parameters) {
    result[name] = parameter.grad();
    parameter.mutable_grad() = torch::Tensor();
  }
  return result;
}

/// The same, with zeros of what has none.
inline Parameters take_all_gradients(const torch::nn::Module& module) {
  Parameters result;
  for (const auto& [name, parameter] : parameters_of(module)) {
    const auto gradient = parameter.grad();
    result[name] = gradient.defined() ? gradient : at::zeros_like(parameter).detach();
    parameter.mutable_grad() = torch::Tensor();
  }
  return result;
}

inline void expect_equal(const Parameters& a, const Parameters& b, const std::string& what = "") {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto& [name, tensor] : a) {
    ASSERT_EQ(b.count(name), 1U) << what << " " << name;
    EXPECT_TRUE(tensor.equal(b.at(name))) << what << " " << name;
  }
}

}  // namespace optotorch::testing
