#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>

namespace optotorch {

/// S = (1 + c C) U, a complex number for every port or sample behind the stage, initially C = 0: it knows of errors
/// that multiply the field there, such as aberrations close to it. Parameter `screen` [output..., 2], real and
/// imaginary parts.
class ScreenCorrection : public CorrectionBehind {
 public:
  /// Throws c10::ValueError for a stage that delivers real values.
  explicit ScreenCorrection(const StageDesign& design);

  /// Parameter C, [output..., 2].
  torch::Tensor screen;

 protected:
  torch::Tensor difference(const torch::Tensor& u) override;
  torch::Tensor pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd, bool learns,
                                bool to_u) override;
};

}  // namespace optotorch
