#pragma once

#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <torch/types.h>

namespace optotorch {

/// The divisor of a normalisation: `size` where it is positive, 1 where a sample is dark. So a dark sample
/// stays dark, with finite slopes, instead of 0/0. Where a root of `size` is taken, it is taken of the
/// result: the slope of a root at 0 is infinite, also in front of `where`.
inline torch::Tensor or_one(const torch::Tensor& size) {
  return at::where(size > 0, size, at::ones_like(size));
}

}  // namespace optotorch
