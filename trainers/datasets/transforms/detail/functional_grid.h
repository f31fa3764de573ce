#pragma once

// Warps: affine maps and perspectives by sampling on a grid, as torchvision's functional.py makes it.

#include <ATen/core/Tensor.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace optotorch::transforms {

/// What lies outside: a value for all channels or one for each; none: zeros, blended without a mask.
using Fill = std::optional<std::vector<double>>;

/// Options of a warp that have been drawn.
struct AffineMap {
  double angle = 0;                          ///< degrees, clockwise
  std::array<double, 2> translate = {0, 0};  ///< pixels, right and down
  double scale = 1;
  std::array<double, 2> shear = {0, 0};  ///< degrees
};

/// `fill` in torchvision's form: one value becomes one for each channel. Throws c10::ValueError, naming
/// `where`, for another number of them or values that the image's type cannot hold.
Fill fill_for(const char* where, const std::vector<double>& fill, const at::Tensor& image);

/// `center` (x, y) in pixels from the upper left corner; empty: the image's own.
at::Tensor affine(const at::Tensor& image, const AffineMap& map, Interpolation interpolation,
                  const Fill& fill, const std::vector<double>& center = {});

/// Degrees, counter-clockwise. `expand`: the result holds all of the image.
at::Tensor rotate(const at::Tensor& image, double angle, Interpolation interpolation, const Fill& fill,
                  bool expand = false, const std::vector<double>& center = {});

/// Corners: upper left, upper right, lower right, lower left, each (x, y).
using Corners = std::array<std::array<int64_t, 2>, 4>;

/// The image whose corners `from` come to lie at `to`.
at::Tensor perspective(const at::Tensor& image, const Corners& from, const Corners& to,
                       Interpolation interpolation, const Fill& fill);

}  // namespace optotorch::transforms
