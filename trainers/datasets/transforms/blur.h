#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch::transforms {

/// Options for GaussianBlur: GaussianBlurOptions(5), GaussianBlurOptions({5, 9}).
struct GaussianBlurOptions {
  /// A square kernel.
  GaussianBlurOptions(int64_t kernel_size)
      : kernel_size_{kernel_size} {}  // NOLINT(google-explicit-constructor)
  /// Width and height of the kernel, or one number for both.
  GaussianBlurOptions(std::vector<int64_t> kernel_size)
      : kernel_size_(std::move(kernel_size)) {}  // NOLINT(google-explicit-constructor)

  /// Width and height, odd; one number: both.
  TORCH_ARG(std::vector<int64_t>, kernel_size);
  /// Least and largest standard deviation in pixels, above 0; one number: both.
  TORCH_ARG(std::vector<double>, sigma) = {0.1, 2.0};

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("kernel_size", kernel_size_);
    visit("sigma", sigma_);
  }
};

/// Blurs by a random deviation. Half the kernel must be less than the image.
class GaussianBlur : public OptionsTransform<GaussianBlurOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit GaussianBlur(GaussianBlurOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for RandomAdjustSharpness.
struct RandomAdjustSharpnessOptions {
  /// Changes the sharpness of one image in two by `sharpness_factor`.
  RandomAdjustSharpnessOptions(double sharpness_factor)
      : sharpness_factor_(sharpness_factor) {}  // NOLINT(google-explicit-constructor)

  /// 0: smoothed; 1: as it is; 2: twice as sharp.
  TORCH_ARG(double, sharpness_factor);
  /// Probability, 0 to 1.
  TORCH_ARG(double, p) = 0.5;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("sharpness_factor", sharpness_factor_);
    visit("p", p_);
  }
};

/// Changes the sharpness with probability p.
class RandomAdjustSharpness : public OptionsTransform<RandomAdjustSharpnessOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomAdjustSharpness(RandomAdjustSharpnessOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

}  // namespace optotorch::transforms
