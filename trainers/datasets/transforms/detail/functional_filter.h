#pragma once

// Blur and sharpness by convolution, as torchvision's functional.py computes them.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace optotorch::transforms {

/// By a Gaussian kernel of the given width and height (odd) with deviation `sigma` > 0, in float; bytes are
/// rounded. The border is reflected: half the kernel must be less than the image.
at::Tensor gaussian_blur(const at::Tensor& image, const std::array<int64_t, 2>& kernel_size, double sigma);

/// 0: smoothed; 1: the image; 2: twice as sharp. Up to 2 pixels wide or high: the image itself. 1 or 3
/// channels.
at::Tensor adjust_sharpness(const at::Tensor& image, double factor);

}  // namespace optotorch::transforms
