#pragma once

// The difference between the numerical model of a stage and the stage that was built.

#include <optotorch/modules/stage.h>

#include <memory>

namespace optotorch {

/// The field (or values) S that a stage is predicted to deliver for x, with what a pull-back needs.
struct Prediction {
  torch::Tensor x;      ///< the input
  torch::Tensor u;      ///< output of the error-free stage; undefined if the correction does not compute it
  torch::Tensor s;      ///< the prediction S
  double strength = 1;  ///< strength c of the correction
};

/// A correction of a stage's numerical model:
///
///     S = correction(x, stage; c),     S = U = W x at strength c = 0
///
/// in all of dual adaptive training (rules/laboratory/dual_adaptive.h). Its parameters are real leaves, which
/// freeze() freezes as those of a layer, and zero or small in the beginning: S is near U. A pull-back goes to
/// the commands of the stage or to the correction, never to both: the two learn from different losses.
class Correction : public torch::nn::Module {
 public:
  using torch::nn::Module::Module;

  /// x [batch, input...], in the precision of stage and correction. Throws c10::ValueError for another x, for
  /// a stage that the correction was not made for, and for a strength beyond 0 to 1.
  Prediction predict(const Stage& stage, const torch::Tensor& x, double strength = 1);

  /// Owner of the parameters that a pull-back gives gradients: the stage, whose parameters are its commands, the
  /// correction, or nobody.
  enum class Learns { stage, correction, nothing };

  /// Adds dL_dp to the `.grad` of the parameters of `learns`; returns dL_dx, undefined unless `to_input`.
  torch::Tensor pullback(Stage& stage, const Prediction& prediction, const torch::Tensor& dL_ds,
                         Learns learns, bool to_input = true);

  /// Puts parameters that an optimiser has stepped back into their range; by default there is none.
  virtual void constrain() {}

 protected:
  /// Does what `predict` promises, for arguments that fit; runs without a graph.
  virtual Prediction compute(const Stage& stage, const torch::Tensor& x, double strength) = 0;
  /// Does what `pullback` promises, for arguments that fit; runs without a graph and may return any tensor unless
  /// `to_input`.
  virtual torch::Tensor compute_pullback(Stage& stage, const Prediction& prediction,
                                         const torch::Tensor& dL_ds, Learns learns, bool to_input) = 0;

  /// Registers a real tensor as a parameter.
  torch::Tensor& register_real(const std::string& name, torch::Tensor tensor);
};

/// S = U + c D(U) for a network D behind the stage.
class CorrectionBehind : public Correction {
 public:
  using Correction::Correction;

 protected:
  /// D(u).
  virtual torch::Tensor difference(const torch::Tensor& u) = 0;
  /// dL_du of dL_dD, undefined unless `to_u`; adds to the parameters' `.grad` if `learns`.
  virtual torch::Tensor pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd, bool learns,
                                        bool to_u) = 0;

  Prediction compute(const Stage& stage, const torch::Tensor& x, double strength) override;
  torch::Tensor compute_pullback(Stage& stage, const Prediction& prediction, const torch::Tensor& dL_ds,
                                 Learns learns, bool to_input) override;
};

}  // namespace optotorch
