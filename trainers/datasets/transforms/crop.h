#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/padding_mode.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch::transforms {

/// Options for CenterCrop: CenterCropOptions(224), CenterCropOptions({224, 256}).
struct CenterCropOptions {
  /// A square of side `size`.
  CenterCropOptions(int64_t size) : size_{size} {}  // NOLINT(google-explicit-constructor)
  /// Height and width, or one number for both.
  CenterCropOptions(std::vector<int64_t> size)
      : size_(std::move(size)) {}  // NOLINT(google-explicit-constructor)

  /// Height and width; one number: both.
  TORCH_ARG(std::vector<int64_t>, size);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("size", size_); }
};

/// The middle of the image, with zeros around it where that is smaller.
class CenterCrop : public OptionsTransform<CenterCropOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit CenterCrop(CenterCropOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for RandomCrop: RandomCropOptions(32).padding({4}).
struct RandomCropOptions {
  /// A square of side `size`.
  RandomCropOptions(int64_t size) : size_{size} {}  // NOLINT(google-explicit-constructor)
  /// Height and width, or one number for both.
  RandomCropOptions(std::vector<int64_t> size)
      : size_(std::move(size)) {}  // NOLINT(google-explicit-constructor)

  /// Height and width; one number: both.
  TORCH_ARG(std::vector<int64_t>, size);
  /// Pixels around the image before it is cropped: one number; left and right, top and bottom; or left, top,
  /// right, bottom. Empty: none.
  TORCH_ARG(std::vector<int64_t>, padding);
  /// Adds, on both sides, what a smaller image lacks.
  TORCH_ARG(bool, pad_if_needed) = false;
  /// What constant padding holds.
  TORCH_ARG(double, fill) = 0;
  /// Kind of padding; `reflect` adds less than the image's side, `symmetric` at most that.
  TORCH_ARG(PaddingMode, padding_mode) = PaddingMode::constant;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("size", size_);
    visit("padding", padding_);
    visit("pad_if_needed", pad_if_needed_);
    visit("fill", fill_);
    visit("padding_mode", padding_mode_);
  }
};

/// A window at a random place. Throws c10::ValueError for an image that is smaller, padding included.
class RandomCrop : public OptionsTransform<RandomCropOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomCrop(RandomCropOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for Pad: PadOptions(4), PadOptions({1, 2, 3, 4}).
struct PadOptions {
  /// The same border on all sides.
  PadOptions(int64_t padding) : padding_{padding} {}  // NOLINT(google-explicit-constructor)
  /// One, two or four widths (see `padding`).
  PadOptions(std::vector<int64_t> padding)
      : padding_(std::move(padding)) {}  // NOLINT(google-explicit-constructor)

  /// One number; left and right, top and bottom; or left, top, right, bottom; at least 0.
  TORCH_ARG(std::vector<int64_t>, padding);
  /// What constant padding holds.
  TORCH_ARG(double, fill) = 0;
  /// Kind of border; `reflect` adds less than the image's side, `symmetric` at most that.
  TORCH_ARG(PaddingMode, padding_mode) = PaddingMode::constant;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("padding", padding_);
    visit("fill", fill_);
    visit("padding_mode", padding_mode_);
  }
};

/// The image with a border.
class Pad : public OptionsTransform<PadOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit Pad(PadOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

}  // namespace optotorch::transforms
