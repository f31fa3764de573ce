#pragma once

// Brightness, contrast, saturation, hue and grey, as torchvision's functional.py computes them: images
// [C, H, W] with 1 or 3 channels, uint8, float32 or float64. Bytes are cut, not rounded.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace optotorch::transforms {

/// The largest value of the image's type: 255, or 1 of floats.
double bound_of(const at::Tensor& image);

/// 0.2989 R + 0.587 G + 0.114 B in `channels` (1 or 3) equal channels; an image of one channel as it is.
at::Tensor grey(const at::Tensor& image, int64_t channels);

/// ratio * image + (1 - ratio) * other, within the type's range.
at::Tensor blend(const at::Tensor& image, const at::Tensor& other, double ratio);

at::Tensor adjust_brightness(const at::Tensor& image, double factor);
at::Tensor adjust_contrast(const at::Tensor& image, double factor);
at::Tensor adjust_saturation(const at::Tensor& image, double factor);

/// Turns the colour circle by `factor`, -0.5 to 0.5.
at::Tensor adjust_hue(const at::Tensor& image, double factor);

}  // namespace optotorch::transforms
