#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for SaturableAbsorber.
struct SaturableAbsorberOptions {
  /// Optical depth for weak light, >= 0.
  TORCH_ARG(double, depth) = 2;
  /// Intensity at which the depth has halved, > 0.
  TORCH_ARG(double, saturation) = 1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("depth", depth_);
    visit("saturation", saturation_);
  }
};

/// y = exp(-(depth / 2) / (1 + |z|^2 / saturation)) z on a complex field of any shape: weak light is
/// absorbed, strong light passes. No parameters. Formula and pull-back: ops/activation.h.
class SaturableAbsorberImpl : public CloneableLayer<SaturableAbsorberImpl, ResponseLayer> {
 public:
  /// Throws c10::ValueError for a depth below 0, a saturation that is not above 0, and values that are not finite.
  explicit SaturableAbsorberImpl(SaturableAbsorberOptions options = {});

  Deployment deploy() override;

  /// The options it was made from.
  SaturableAbsorberOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(SaturableAbsorber);

}  // namespace optotorch
