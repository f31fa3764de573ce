#pragma once

// Losses of an output y and a target t.

#include <ATen/ATen.h>
#include <torch/nn/functional/loss.h>

namespace optotorch::testing {

inline torch::Tensor squared_error(const torch::Tensor& y, const torch::Tensor& t) {
  return (y - t).square().mean();
}

/// Cross entropy of logits and numbers of classes.
inline torch::Tensor class_loss(const torch::Tensor& y, const torch::Tensor& t) {
  return torch::nn::functional::cross_entropy(y, t);
}

}  // namespace optotorch::testing
