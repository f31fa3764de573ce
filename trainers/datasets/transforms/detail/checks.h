#pragma once

// Checks that transforms share. Each throws c10::ValueError in the name of the transform `where`.

#include <ATen/core/Tensor.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch::transforms {

/// The longest side, padding or kernel that options may ask for.
inline constexpr int64_t longest_side = 1'000'000;

/// [C, H, W] with at least a pixel, dense, on the CPU, of a type that torchvision takes for images.
void check_image(const at::Tensor& image);

/// 1 or 3 channels: grey or red, green, blue.
void check_colours(const char* where, const at::Tensor& image);

/// uint8, float32 or float64.
void check_usual_type(const char* where, const at::Tensor& image);

/// Grey or in colours, of a usual type.
void check_usual_image(const char* where, const at::Tensor& image);

/// uint8.
void check_bytes(const char* where, const at::Tensor& image);

/// From 0 to 1.
void check_probability(const char* where, double p);

/// One or two numbers from 1 to `longest_side`.
void check_size(const char* where, const std::vector<int64_t>& size);

/// Finite numbers, `low` <= the first <= the second <= `high`.
void check_range(const char* where, const char* argument, const std::vector<double>& range, double low,
                 double high);

/// Finite numbers.
void check_numbers(const char* where, const char* argument, const std::vector<double>& values);

/// Two numbers, or none.
void check_centre(const char* where, const std::vector<double>& center);

/// Nearest or bilinear: what warps know.
void check_warp(const char* where, Interpolation interpolation);

/// One value or one for each channel of the image; any number where there are none.
void check_per_channel(const char* where, const char* argument, const std::vector<double>& values,
                       const at::Tensor& image);

/// "[224, 224]".
template <typename Number>
std::string text_of(const std::vector<Number>& numbers);

}  // namespace optotorch::transforms
