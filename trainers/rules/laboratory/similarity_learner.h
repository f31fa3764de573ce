#pragma once

#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/trainers/schedule.h>
#include <torch/arg.h>
#include <torch/optim/adam.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace optotorch {

/// Readings that the corrections are compared with, and how light reaches them in the model.
enum class Similarity {
  output,     ///< the last stage's readings; every stage's model starts from the one before
  unitary,    ///< the readings behind every stage; the same way
  separable,  ///< the readings behind every stage; each stage's model starts from the measured state before it
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Similarity) {
  static const std::vector<std::string> all{"output", "unitary", "separable"};
  return all;
}

/// What of fields is compared.
enum class Compared {
  intensities,  ///< the mean of (nu(S) - nu(P))^2, nu(z) = |z|^2 / || |z|^2 ||_2 of every sample
  amplitudes,   ///< sum (|S| - |P|)^2 / sum |P|^2 over the batch: images, of whose pixels most are dark
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Compared) {
  static const std::vector<std::string> all{"intensities", "amplitudes"};
  return all;
}

/// Options for SimilarityLearner.
struct SimilarityOptions {
  /// Readings that are compared, and the model's way to them.
  TORCH_ARG(Similarity, similarity) = Similarity::unitary;
  /// Measure by which fields are compared.
  TORCH_ARG(Compared, compared) = Compared::intensities;
  /// Ports behind the last stage that are compared, from the first on; 0: all.
  TORCH_ARG(int64_t, compared_ports) = 0;
  /// Learning rate of the corrections, by Adam; positive.
  TORCH_ARG(double, rate) = 1e-2;
  /// Adam's second beta, 0 to below 1: how long a gradient's size is remembered.
  TORCH_ARG(double, beta2) = 0.999;
  /// Number of steps that `schedule` spans, at least 1.
  TORCH_ARG(int64_t, steps) = 1;
  /// Factor on `rate`, step by step; constant after `steps`.
  TORCH_ARG(Schedule, schedule) = constant_schedule();
  /// lambda_s: the part of the similarity loss's gradient that the phases get, too; at least 0.
  TORCH_ARG(double, to_phases) = 0;
};

/// Teaches the corrections of a PhysicalNetwork to deliver what is measured, one step of Adam at a time:
///
///     L_s = sum_n mean (nu(S_n) - nu(P_n))^2,     nu(z) = |z|^2 / || |z|^2 ||_2
///
/// of stages that deliver fields, or what `compared` says; of real values nu(z) = z / || P_n ||_2.
///
/// Source: arXiv 2212.06141. It belongs to the network of its first step.
class SimilarityLearner {
 public:
  /// `owner` is named in errors. Throws c10::ValueError for options out of their ranges.
  SimilarityLearner(std::string owner, SimilarityOptions options);

  /// L_s before the step, of the model for x and `readings`. If `phases_learn`, adds to_phases dL_s to the
  /// phases' `.grad`. Throws c10::ValueError if readings are missing that the kind of similarity needs, and
  /// if L_s is not finite.
  double learn(const PhysicalNetworkImpl& network, const torch::Tensor& x, const Readings& readings,
               bool phases_learn);

  /// Takes the corrections of `network`, and gives them the state that was loaded before, if any. If that
  /// does not fit it goes on waiting, and throws again: to go on without it would be another run.
  void adopt(const PhysicalNetworkImpl& network);

  /// Corrections, Adam's moments and the number of steps; empty before a network was adopted.
  std::map<std::string, torch::Tensor> state() const;
  /// Throws c10::ValueError, with nothing changed, if the state is of other corrections; at the latest when
  /// the corrections are adopted.
  void load_state(const std::map<std::string, torch::Tensor>& state);

 private:
  SimilarityOptions options_;
  std::string owner_;
  std::vector<std::shared_ptr<Correction>> corrections_;
  std::unique_ptr<torch::optim::Adam> optimizer_;
  std::map<std::string, torch::Tensor> pending_;  ///< a state that waits for the corrections it belongs to
  int64_t steps_ = 0;
};

}  // namespace optotorch
