#pragma once

// Types and values of pixels, as torchvision's functional.py converts them.

#include <ATen/core/Tensor.h>

#include <vector>

namespace optotorch::transforms {

/// Whether the types convert_dtype knows.
bool is_known_dtype(at::ScalarType type);

/// In which the image is computed: its own if it is a floating-point type, else float32.
at::ScalarType float_type(const at::Tensor& image);

/// The image in another type, its range to the range of that: bytes / 255 in float, floats * (256 - 0.001)
/// cut to bytes. float32 to int32 or int64, and float64 to int64, cannot be: throws c10::ValueError.
at::Tensor convert_dtype(const at::Tensor& image, at::ScalarType type);

/// (image - mean) / deviation of every channel, in the image's type, float32 or float64. The lists hold one
/// number or one for each channel.
at::Tensor normalize(const at::Tensor& image, const std::vector<double>& mean,
                     const std::vector<double>& std);

}  // namespace optotorch::transforms
