#pragma once

// Windows, borders, mirrors and sizes: the arithmetic of torchvision's functional.py on tensors [C, H, W].

#include <ATen/core/Tensor.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>
#include <optotorch/trainers/datasets/transforms/padding_mode.h>

#include <cstdint>
#include <vector>

namespace optotorch::transforms {

/// Pixels that are added on each side, at least 0.
struct Borders {
  int64_t left = 0, top = 0, right = 0, bottom = 0;
};

/// Of one number for all sides, two (left and right, top and bottom) or four (left, top, right, bottom).
Borders borders(const std::vector<int64_t>& padding);

/// Where the rows or columns of a result come from, by index; -1: from nowhere, they are filled.
using Sources = std::vector<int64_t>;

/// 0 ... count - 1.
Sources sources(int64_t count);

/// `of` with so many more in front and behind. Throws c10::ValueError, naming `where`, if a reflection has
/// not so many to show.
Sources padded(const Sources& of, int64_t before, int64_t after, PaddingMode mode, const char* where);

/// result[c, y, x] = image[c, rows[y], columns[x]], or `fill`. Contiguous.
at::Tensor gather(const at::Tensor& image, const Sources& rows, const Sources& columns, double fill);

/// Throws c10::ValueError, naming `where`, for a value that the image's type cannot hold.
void check_fill(const char* where, double fill, const at::Tensor& image);

/// The window whose first pixel is (top, left), within the image. Of uint8 a copy, otherwise a view: sums of
/// floats depend on where they lie, and torchvision's are views.
at::Tensor crop(const at::Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width);

/// The same, a view of every type.
at::Tensor crop_view(const at::Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width);

/// torchvision's center_crop, with zeros around what is too small.
at::Tensor center_crop(const at::Tensor& image, int64_t height, int64_t width, const char* where);

/// Mirrored left to right, and top to bottom. Contiguous.
at::Tensor hflip(const at::Tensor& image);
at::Tensor vflip(const at::Tensor& image);

/// Resized to [C, height, width] with float arithmetic; integers are rounded. `antialias` counts for bilinear
/// and bicubic only. The image itself if it has that size.
at::Tensor resize(const at::Tensor& image, int64_t height, int64_t width, Interpolation interpolation,
                  bool antialias);

}  // namespace optotorch::transforms
