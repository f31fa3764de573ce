#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>

namespace optotorch {

/// S = (I + c C) U with a complex matrix C [ports, ports], initially 0: it assumes nothing about the errors
/// but that the mesh stays linear, and that they hardly change with the phases. Parameter `matrix` [ports,
/// ports, 2], real and imaginary parts.
class LinearCorrection : public CorrectionBehind {
 public:
  explicit LinearCorrection(int64_t ports);

  /// Turns every row of I + C so that its diagonal entry is real and positive. Intensities do not see these
  /// phases; without an end to them the optimiser lets them drift, and the corrections behind follow.
  void constrain() override;

  torch::Tensor matrix;

 protected:
  torch::Tensor difference(const torch::Tensor& u) override;
  torch::Tensor pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd, bool learns,
                                bool to_u) override;
};

}  // namespace optotorch
