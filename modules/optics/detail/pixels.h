#pragma once

#include <torch/types.h>

namespace optotorch {

/// Pixels [..., rows, columns] as samples of a field, s x s of each: within the bright middle of the pixel, which is
/// `fill_factor` of its area, as it is, dark at its border, and in between by area.
torch::Tensor sampled_pixels(const torch::Tensor& pixels, int64_t samples, double fill_factor);

/// Its adjoint.
torch::Tensor summed_samples(const torch::Tensor& samples, int64_t count, double fill_factor);

}  // namespace optotorch
