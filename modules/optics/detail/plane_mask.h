#pragma once

#include <optotorch/modules/optics/diffractive_layer.h>

namespace optotorch {

/// Cosines of a plane's smooth aberrations, [15, pixels]: all products of up to three half waves down and across but
/// the constant, such that coefficients of standard deviation s give phases of mean square s^2.
torch::Tensor aberration_modes(const std::vector<int64_t>& pixels, const torch::TensorOptions& type);

/// What a DiffractiveLayer's pixels do to the samples of a field, at these commands and errors, and back.
class PlaneMask {
 public:
  PlaneMask(const DiffractiveLayerOptions& options, const Values& commands, const Values& errors);

  /// m, [window] or, of several wavelengths, [planes, window]; complex.
  const torch::Tensor& mask() const { return mask_; }

  /// Gradients of all commands, and of the errors that were given but `distance` and `offset`, from dL_dmask.
  void pull_back(const torch::Tensor& dL_dmask, Values& commands, Values& errors) const;

 private:
  torch::Tensor ramp() const;
  torch::Tensor pull_back_place(const torch::Tensor& dL_dmask, Values& errors) const;

  const DiffractiveLayerOptions& options_;
  const Values &commands_, &errors_;
  torch::Tensor commanded_;     ///< p, [pixels]; undefined without phases
  torch::Tensor attenuation_;   ///< sigmoid(amplitude); undefined without
  torch::Tensor size_, phase_;  ///< a and phase of every pixel
  torch::Tensor pixels_,
      standing_;  ///< [planes, pixels], [planes, window] before and behind its displacement
  torch::Tensor mask_;
  std::vector<double> scale_;  ///< lambda_0 / lambda
};

}  // namespace optotorch
