#pragma once

// Inversion, posters, solarisation, contrast and histograms, as torchvision's functional.py computes them:
// images [C, H, W] with 1 or 3 channels.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace optotorch::transforms {

/// 255 - image, or 1 - image of floats.
at::Tensor invert(const at::Tensor& image);

/// uint8: only the upper `bits` bits, 0 to 8.
at::Tensor posterize(const at::Tensor& image, int64_t bits);

/// Values at or above the threshold are inverted.
at::Tensor solarize(const at::Tensor& image, double threshold);

/// Every channel stretched to the whole range.
at::Tensor autocontrast(const at::Tensor& image);

/// uint8: every channel's histogram made even.
at::Tensor equalize(const at::Tensor& image);

}  // namespace optotorch::transforms
