#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <numbers>

namespace optotorch {

/// Options for ElectroOpticActivation; the defaults are those of arXiv 2212.06141.
struct ElectroOpticActivationOptions {
  /// Fraction of the power that drives the modulator, in [0, 1).
  TORCH_ARG(double, tap) = 0.1;
  /// Phase per unit intensity, radians.
  TORCH_ARG(double, gain) = 0.05 * std::numbers::pi;
  /// Phase in the dark, radians.
  TORCH_ARG(double, bias) = std::numbers::pi;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("tap", tap_);
    visit("gain", gain_);
    visit("bias", bias_);
  }
};

/// y = sqrt(1 - tap) cos(p) exp(-ip) z, p = (gain |z|^2 + bias) / 2, on a complex field of any shape. No
/// parameters. Source: Williamson et al. 2020; formula and pull-back: ops/activation.h.
class ElectroOpticActivationImpl : public CloneableLayer<ElectroOpticActivationImpl, ResponseLayer> {
 public:
  /// Throws c10::ValueError for a tap outside [0, 1), and for a gain or bias that is not finite.
  explicit ElectroOpticActivationImpl(ElectroOpticActivationOptions options = {});

  Deployment deploy() override;

  /// The options it was made from.
  ElectroOpticActivationOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(ElectroOpticActivation);

}  // namespace optotorch
