#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for WhiteBoxCorrection.
struct WhiteBoxCorrectionOptions {
  explicit WhiteBoxCorrectionOptions(const MeshLayout& layout) : layout_(layout) {}

  TORCH_ARG(MeshLayout, layout);
  /// Splitters have errors, too; otherwise phases alone.
  TORCH_ARG(bool, splitters) = true;
};

/// The same mesh with errors to be learnt: S = W(theta + c dtheta, phi + c dphi, c e) x. It knows what kinds
/// of errors the device has, not their values. Parameters, initially 0: `theta_offset` and `phi_offset`
/// [mzis], radians, and `splitter_error` [mzis, 2], kept in +-.5. Loss, crosstalk and quantisation are not in
/// it.
class WhiteBoxCorrection : public Correction {
 public:
  explicit WhiteBoxCorrection(const WhiteBoxCorrectionOptions& options);

  void constrain() override;

  torch::Tensor theta_offset, phi_offset, splitter_error;

 protected:
  Prediction compute(const MziMeshImpl& mesh, const torch::Tensor& x, double strength) override;
  torch::Tensor compute_pullback(MziMeshImpl& mesh, const Prediction& prediction, const torch::Tensor& dL_ds,
                                 Learns learns, bool to_input) override;

 private:
  ops::MeshTensors corrected(const MziMeshImpl& mesh, double strength) const;

  MeshLayout layout_;
};

}  // namespace optotorch
