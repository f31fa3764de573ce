#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace optotorch {

/// A PNG file of `pixels`, uint8 [height, width, channels]: dense, on the CPU, none of the sizes 0, 1 channel (grey) or
/// 3 (RGB). Source: https://www.w3.org/TR/png-3.
std::string png_of(const at::Tensor& pixels);

}  // namespace optotorch
