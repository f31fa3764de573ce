#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>

namespace optotorch {

/// S = (I + c C) U, initially C = 0: it assumes nothing about the errors but that the stage stays linear, and
/// that they hardly change with the commands. Of a field U [batch, ports] C is complex, parameter `matrix`
/// [ports, ports, 2], real and imaginary parts; of real values it is real, [ports, ports]. Outputs of other
/// shapes are taken flat.
class LinearCorrection : public CorrectionBehind {
 public:
  /// `is_real`: the stage delivers real values. Throws c10::ValueError for ports outside 1 to 65,536.
  explicit LinearCorrection(int64_t ports, bool is_real = false);
  /// The one that fits a stage.
  explicit LinearCorrection(const StageDesign& design);

  /// Turns every row of a complex I + C so that its diagonal entry is real and positive. Intensities do not
  /// see these phases; without an end to them the optimiser lets them drift, and the corrections behind
  /// follow.
  void constrain() override;

  /// Parameter C, [ports, ports, 2], or [ports, ports] if it is real.
  torch::Tensor matrix;

 protected:
  torch::Tensor difference(const torch::Tensor& u) override;
  torch::Tensor pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd, bool learns,
                                bool to_u) override;

 private:
  /// C.
  torch::Tensor map() const;
  bool is_real_;
};

}  // namespace optotorch
