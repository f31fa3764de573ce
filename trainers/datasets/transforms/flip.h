#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

namespace optotorch::transforms {

/// Options for RandomHorizontalFlip and RandomVerticalFlip.
struct FlipOptions {
  /// Mirrors with probability `p`.
  FlipOptions(double p = 0.5) : p_(p) {}  // NOLINT(google-explicit-constructor)

  /// Probability, 0 to 1.
  TORCH_ARG(double, p);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("p", p_); }
};

/// Mirrors left to right with probability p.
class RandomHorizontalFlip : public OptionsTransform<FlipOptions> {
 public:
  /// Throws c10::ValueError unless 0 <= p <= 1.
  explicit RandomHorizontalFlip(FlipOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Mirrors top to bottom with probability p.
class RandomVerticalFlip : public OptionsTransform<FlipOptions> {
 public:
  /// Throws c10::ValueError unless 0 <= p <= 1.
  explicit RandomVerticalFlip(FlipOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

}  // namespace optotorch::transforms
