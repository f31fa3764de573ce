#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for KerrActivation.
struct KerrActivationOptions {
  /// Radians per unit of intensity, finite; either sign.
  TORCH_ARG(double, gamma) = 1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("gamma", gamma_); }
};

/// y = z exp(i gamma |z|^2) on a complex field of any shape: light turns its own phase, and keeps its power. No
/// parameters. Pull-back, with h = exp(-i gamma |z|^2) dL_dy:
///
///     dL_dz = h + 2 gamma z Im(conj(z) h)
///
/// Source: self-phase modulation by the Kerr effect, Agrawal, Nonlinear Fiber Optics, chapter 4.
class KerrActivationImpl : public CloneableLayer<KerrActivationImpl, ResponseLayer> {
 public:
  /// Throws c10::ValueError for a gamma that is not finite.
  explicit KerrActivationImpl(KerrActivationOptions options = {});

  Deployment deploy() override;

  /// The options it was made from.
  KerrActivationOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(KerrActivation);

}  // namespace optotorch
