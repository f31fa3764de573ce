#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

namespace optotorch::transforms {

/// Options for RandomInvert, RandomAutocontrast and RandomEqualize.
struct ToneOptions {
  /// Changes images with probability `p`.
  ToneOptions(double p = 0.5) : p_(p) {}  // NOLINT(google-explicit-constructor)

  /// Probability, 0 to 1.
  TORCH_ARG(double, p);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("p", p_); }
};

/// Makes a negative with probability p.
class RandomInvert : public OptionsTransform<ToneOptions> {
 public:
  /// Throws c10::ValueError unless 0 <= p <= 1.
  explicit RandomInvert(ToneOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Stretches every channel to the whole range with probability p.
class RandomAutocontrast : public OptionsTransform<ToneOptions> {
 public:
  /// Throws c10::ValueError unless 0 <= p <= 1.
  explicit RandomAutocontrast(ToneOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Makes every channel's histogram even with probability p. Of uint8 images.
class RandomEqualize : public OptionsTransform<ToneOptions> {
 public:
  /// Throws c10::ValueError unless 0 <= p <= 1.
  explicit RandomEqualize(ToneOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for RandomPosterize.
struct RandomPosterizeOptions {
  /// Reduces one image in two to `bits` bits a value.
  RandomPosterizeOptions(int64_t bits) : bits_(bits) {}  // NOLINT(google-explicit-constructor)

  /// How many of a byte's bits stay, 0 to 8.
  TORCH_ARG(int64_t, bits);
  /// Probability, 0 to 1.
  TORCH_ARG(double, p) = 0.5;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("bits", bits_);
    visit("p", p_);
  }
};

/// Leaves fewer values of brightness with probability p. Of uint8 images.
class RandomPosterize : public OptionsTransform<RandomPosterizeOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomPosterize(RandomPosterizeOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for RandomSolarize.
struct RandomSolarizeOptions {
  /// Changes one image in two: inverts values of at least `threshold`.
  RandomSolarizeOptions(double threshold) : threshold_(threshold) {}  // NOLINT(google-explicit-constructor)

  /// Values at or above it are inverted; at most 255, or 1 with floats.
  TORCH_ARG(double, threshold);
  /// Probability, 0 to 1.
  TORCH_ARG(double, p) = 0.5;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("threshold", threshold_);
    visit("p", p_);
  }
};

/// Inverts bright values with probability p.
class RandomSolarize : public OptionsTransform<RandomSolarizeOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomSolarize(RandomSolarizeOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

}  // namespace optotorch::transforms
