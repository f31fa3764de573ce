#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch::transforms {

/// Options for Resize: ResizeOptions(256), ResizeOptions({224, 224}).
struct ResizeOptions {
  /// `size` pixels on the shorter side.
  ResizeOptions(int64_t size) : size_{size} {}  // NOLINT(google-explicit-constructor)
  /// Height and width, or one number for the shorter side.
  ResizeOptions(std::vector<int64_t> size) : size_(std::move(size)) {}  // NOLINT(google-explicit-constructor)

  /// Height and width; one number: the shorter side, the other in proportion, cut to whole pixels.
  TORCH_ARG(std::vector<int64_t>, size);
  /// Interpolation between pixels, of any kind.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::bilinear;
  /// What the longer side is at most, with one number for `size`, above that; 0: no limit.
  TORCH_ARG(int64_t, max_size) = 0;
  /// Averages over what a pixel covers, with bilinear and bicubic.
  TORCH_ARG(bool, antialias) = true;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("size", size_);
    visit("interpolation", interpolation_);
    visit("max_size", max_size_);
    visit("antialias", antialias_);
  }
};

/// The image at another size.
class Resize : public OptionsTransform<ResizeOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit Resize(ResizeOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for RandomResizedCrop.
struct RandomResizedCropOptions {
  /// A square of side `size`.
  RandomResizedCropOptions(int64_t size) : size_{size} {}  // NOLINT(google-explicit-constructor)
  /// Height and width, or one number for both.
  RandomResizedCropOptions(std::vector<int64_t> size)
      : size_(std::move(size)) {}  // NOLINT(google-explicit-constructor)

  /// Height and width; one number: both.
  TORCH_ARG(std::vector<int64_t>, size);
  /// Least and largest part of the image's area, at least 0.
  TORCH_ARG(std::vector<double>, scale) = {0.08, 1.0};
  /// Least and largest width / height, above 0.
  TORCH_ARG(std::vector<double>, ratio) = {3.0 / 4.0, 4.0 / 3.0};
  /// Interpolation between pixels, of any kind.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::bilinear;
  /// Averages over what a pixel covers, with bilinear and bicubic.
  TORCH_ARG(bool, antialias) = true;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("size", size_);
    visit("scale", scale_);
    visit("ratio", ratio_);
    visit("interpolation", interpolation_);
    visit("antialias", antialias_);
  }
};

/// A window of random area and shape, resized (Szegedy et al., arXiv:1409.4842). Ten tries; where none lies
/// within the image, the largest window in the middle of an allowed shape.
class RandomResizedCrop : public OptionsTransform<RandomResizedCropOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomResizedCrop(RandomResizedCropOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::vector<double> log_ratio_;
};

}  // namespace optotorch::transforms
