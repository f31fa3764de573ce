#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>
#include <optotorch/ops/mesh_layout.h>
#include <torch/arg.h>

#include <vector>

namespace optotorch {

/// Options for WhiteBoxCorrection.
struct WhiteBoxCorrectionOptions {
  /// Options for a stage: its design, and all kinds of its errors.
  explicit WhiteBoxCorrectionOptions(const Stage& stage);
  /// Options for a mesh.
  explicit WhiteBoxCorrectionOptions(const MeshLayout& layout);

  /// Design of the stage; `predict` throws for a stage of another one.
  TORCH_ARG(StageDesign, design);
  /// Kinds of errors to be learnt; at first all those of the stage.
  TORCH_ARG(std::vector<StageError>, errors);
  /// Splitters of a mesh have errors, too; otherwise phases alone.
  TORCH_ARG(bool, splitters) = true;
};

/// The same stage with errors to be learnt: S = respond(x, commands, c errors), of a mesh W(theta + c dtheta,
/// phi + c dphi, c e) x. It knows what kinds of errors the device has, not their values. Parameters, one for
/// every kind of error (Stage::errors), initially 0 and kept in its range, counted in its units: of a mesh
/// `theta_offset` and `phi_offset` [mzis], radians, and `splitter_error` [mzis, 2], in +-.5. Loss, crosstalk and
/// quantisation of meshes are not in it.
class WhiteBoxCorrection : public Correction {
 public:
  /// Starts without errors: all parameters are 0.
  explicit WhiteBoxCorrection(const WhiteBoxCorrectionOptions& options);

  void constrain() override;

  /// Takes the truth, of those errors that it knows.
  void set_errors(const Values& errors);

  /// The parameter of that name; undefined if it knows no such errors.
  torch::Tensor error(const std::string& name) const;

 protected:
  Prediction compute(const Stage& stage, const torch::Tensor& x, double strength) override;
  torch::Tensor compute_pullback(Stage& stage, const Prediction& prediction, const torch::Tensor& dL_ds,
                                 Learns learns, bool to_input) override;

 private:
  Values errors_at(double strength) const;

  StageDesign design_;
  std::vector<StageError> kinds_;
};

}  // namespace optotorch
