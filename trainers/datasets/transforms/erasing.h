#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <vector>

namespace optotorch::transforms {

/// Options for RandomErasing.
struct RandomErasingOptions {
  /// Erases with probability `p`.
  RandomErasingOptions(double p = 0.5) : p_(p) {}  // NOLINT(google-explicit-constructor)

  /// Probability, 0 to 1.
  TORCH_ARG(double, p);
  /// Least and largest part of the image's area, 0 to 1.
  TORCH_ARG(std::vector<double>, scale) = {0.02, 0.33};
  /// Least and largest height / width, above 0.
  TORCH_ARG(std::vector<double>, ratio) = {0.3, 3.3};
  /// What is put there: one value, or one for each channel.
  TORCH_ARG(std::vector<double>, value) = {0};
  /// Puts noise there instead, normal with deviation 1 (torchvision's value="random"). For float images.
  TORCH_ARG(bool, random_value) = false;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("p", p_);
    visit("scale", scale_);
    visit("ratio", ratio_);
    visit("value", value_);
    visit("random_value", random_value_);
  }
};

/// Covers a random window with probability p (Zhong et al., arXiv:1708.04896). Ten tries to find one.
class RandomErasing : public OptionsTransform<RandomErasingOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomErasing(RandomErasingOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::vector<double> log_ratio_;
};

}  // namespace optotorch::transforms
