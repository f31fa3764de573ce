#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/optics/readout_trials.h>
#include <optotorch/trainers/rules/rule.h>
#include <torch/arg.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace optotorch {

/// How many weights change in trial k = 0, 1, ...
enum class AnnealingSchedule {
  exponential,  ///< max(floor, round(n0 exp(-k / tau)))
  error,        ///< max(floor, round(n0 eps(k - 1) / eps(0))), eps the cost that was reached
  constant,     ///< n0; with n0 = 1 the greedy search
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(AnnealingSchedule) {
  static const std::vector<std::string> all{"exponential", "error", "constant"};
  return all;
}

/// What a trial is judged by.
enum class AnnealingCost {
  nmse,  ///< every output by itself, 2 (1 - rho): rho the correlation of its readings and targets in the batch
  loss,  ///< the loss of the network's whole output
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(AnnealingCost) {
  static const std::vector<std::string> all{"nmse", "loss"};
  return all;
}

/// Options for Annealing.
struct AnnealingOptions {
  /// Course of the number of weights that a trial changes.
  TORCH_ARG(AnnealingSchedule, schedule) = AnnealingSchedule::exponential;
  /// Cost that a trial must lower to be kept.
  TORCH_ARG(AnnealingCost, cost) = AnnealingCost::nmse;
  /// Weights that change in the first trial, at least `floor`: of every output (nmse), or of all together (loss).
  TORCH_ARG(double, n0) = 20;
  /// exponential: trials in which the number falls to 1 / e; above 0.
  TORCH_ARG(double, tau) = 1000;
  /// Least number of weights that change, n_min, at least 1.
  TORCH_ARG(int64_t, floor) = 1;
  /// Trials of a step, at least 1.
  TORCH_ARG(int64_t, trials) = 1000;
  /// Measures the best weights anew before every trial, so that no lucky reading stands for long.
  TORCH_ARG(bool, remeasure) = false;
  /// Seed of the moves.
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h) but the seed.
  void fields(FieldVisitor& visit) {
    visit("schedule", schedule_);
    visit("cost", cost_);
    visit("n0", n0_);
    visit("tau", tau_);
    visit("floor", floor_);
    visit("trials", trials_);
    visit("remeasure", remeasure_);
  }
};

/// Annealed search for the weights of the one discrete read-out of a network (modules/optics/discrete_readout.h), from
/// measured outputs alone:
///
///     change n(k) weights, drawn without replacement, each to one of its other values with equal chance;
///     measure the batch;  keep the change if the cost is below the lowest measured, else take it back
///
/// With the cost nmse the read-out is the network's last layer; the target is classes, int64 [batch], all of which
/// occur, or values [batch, outputs]. Outputs change at once and are judged one by one. Gain and bias then follow from
/// the readings: they standardise them (classes) or are their regression on the target (values). With the cost loss any
/// layers may stand behind, and gain and bias stay.
///
/// It writes to the read-out's parameters itself and leaves `.grad` alone; nothing else in the network learns. Every
/// step measures the weights anew on its batch before the trials. Moves are a pure function of (seed, k). Throws
/// c10::ValueError, with nothing changed, where no read-out or several stand in the network, for one that is frozen,
/// for n0 above the number of weights, for targets that do not fit or never change, and as ReadoutTrials does.
///
/// Source: Skalli et al., arXiv 2409.01042; greedy search by single flips: Porte et al. 2021.
class Annealing : public Rule {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit Annealing(AnnealingOptions options = {});

  std::string name() const override { return "annealing"; }
  bool teaches_by_gradients() const override { return false; }

  /// "measurements": of all outputs on the batch, in the last step; "kept": part of its trials that were kept, of nmse
  /// by any output; "cost": the mean reached.
  std::map<std::string, double> measures() const override;

  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  Keep keep_of_first_pass() const override { return Keep::nothing; }
  void teach(HybridImpl& model, const Lesson& lesson) override;

 private:
  int64_t changes(double cost, double first, int64_t most) const;
  ReadoutTrials::Changes draw(const ReadoutTrials& trials, const std::vector<double>& costs) const;
  void begin(const std::vector<double>& costs);
  void anneal_outputs(DiscreteReadout& readout, ReadoutTrials& trials, const torch::Tensor& target,
                      bool classes);
  void anneal_loss(HybridImpl& model, size_t place, DiscreteReadout& readout, ReadoutTrials& trials,
                   const Lesson& lesson);

  AnnealingOptions options_;
  int64_t trials_ = 0;                // so far
  std::vector<double> first_, cost_;  // eps(0) and eps(k - 1), of every output or of the whole
  double measurements_ = 0, kept_ = 0;
};

}  // namespace optotorch
