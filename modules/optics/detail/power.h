#pragma once

#include <ATen/ATen.h>
#include <torch/types.h>

namespace optotorch {

/// mean |y|^2, in float64: of light the power per port. 0 without elements.
inline double mean_power(const torch::Tensor& y) {
  const auto wide = y.to(y.is_complex() ? torch::kComplexDouble : torch::kFloat64);
  return y.numel() == 0 ? 0 : wide.abs().square().mean().item<double>();
}

}  // namespace optotorch
