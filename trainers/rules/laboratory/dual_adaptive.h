#pragma once

#include <optotorch/trainers/rules/laboratory/similarity_learner.h>
#include <optotorch/trainers/rules/rule.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace optotorch {

/// Options for DualAdaptive; the first eight, up to `similarity_to_phases`, are those of SimilarityLearner.
struct DualAdaptiveOptions {
  /// Readings that the corrections are compared with.
  TORCH_ARG(Similarity, similarity) = Similarity::unitary;
  /// Measure by which fields are compared.
  TORCH_ARG(Compared, compared) = Compared::intensities;
  /// Ports behind the last stage that are compared, from the first on; 0: all.
  TORCH_ARG(int64_t, compared_ports) = 0;
  /// Learning rate of the corrections, by Adam; positive.
  TORCH_ARG(double, rate) = 1e-2;
  /// Adam's second beta, 0 to below 1.
  TORCH_ARG(double, beta2) = 0.999;
  /// Number of steps that `schedule` spans, at least 1.
  TORCH_ARG(int64_t, steps) = 1;
  /// Factor on `rate`, step by step; constant after `steps`.
  TORCH_ARG(Schedule, schedule) = constant_schedule();
  /// lambda_s: part of the similarity loss's gradient that the phases get, too; at least 0.
  TORCH_ARG(double, similarity_to_phases) = 0;
  /// First steps in which corrections learn alone, and the network keeps its parameters.
  TORCH_ARG(int64_t, calibration_steps) = 0;
  /// First steps (counted after those) in which the network is taught by uncorrected models.
  TORCH_ARG(int64_t, warm_up_steps) = 0;
};

/// Dual adaptive training (Zheng et al., arXiv 2212.06141): the phases learn through a corrected numerical
/// model of the hardware, and the corrections learn to make the model deliver what is measured.
///
///     measure:      I_n = |P_n|^2 of the batch
///     similarity:   one step of the corrections (similarity_learner.h)
///     task:         the loss at the measured output, pulled back through the corrected model at the states
///                   F_n = |P_n| exp(i arg S_n)
///
/// It teaches the PhysicalNetworks of a Hybrid, which must have corrections, each with a similarity loss of
/// its own; all other layers by back-propagation. No gradient passes through the system. Our reading: fusion
/// (see PhysicalNetwork), calibration, `separable` inputs f(F_n).
class DualAdaptive : public Rule {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit DualAdaptive(const DualAdaptiveOptions& options = {});

  std::string name() const override { return "dat"; }

  /// The similarity losses of the last step together; NaN before.
  double similarity_loss() const { return similarity_loss_; }
  std::map<std::string, double> measures() const override { return {{"similarity_loss", similarity_loss_}}; }

  void meet(HybridImpl& model) override;
  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override;
  void teach(HybridImpl& model, const Lesson& lesson) override;

 private:
  int64_t calibration_steps_, warm_up_steps_;
  SimilarityOptions similarity_;
  std::vector<std::unique_ptr<SimilarityLearner>> learners_;  ///< one for every PhysicalNetwork
  std::map<std::string, torch::Tensor> pending_;              ///< a state that waits for them
  int64_t steps_ = 0;
  double similarity_loss_;
};

}  // namespace optotorch
