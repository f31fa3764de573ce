#pragma once

// Colours on the circle: hue, saturation, value and back.

#include <ATen/core/Tensor.h>

namespace optotorch::transforms {

/// A uint8 image [3, H, W] with its hue turned by `factor`, in float32, pixel by pixel.
at::Tensor turned_hue_of_bytes(const at::Tensor& image, double factor);

/// The same of float32 or float64, through float32 as in torchvision. What lies outside [0, 1] is treated as
/// there.
at::Tensor turned_hue(const at::Tensor& image, double factor);

}  // namespace optotorch::transforms
