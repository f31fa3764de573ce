#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/rules/rule.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// True if the optimiser is one of LibTorch's that ask for the loss once a step.
bool evaluates_once(const torch::optim::Optimizer& optimizer);

/// All that a step changes before its end, as it was: an instant between two whole steps. Where the optimiser
/// moves the weights more than once in a step, they and its own state belong to it.
class Moment {
 public:
  Moment(const HybridImpl& model, const torch::optim::Optimizer& optimizer, const Rule& rule);

  /// Buffers, random state and rule as they were.
  void rewind(HybridImpl& model, Rule& rule) const;

  /// These, weights and optimiser.
  void restore(HybridImpl& model, torch::optim::Optimizer& optimizer, Rule& rule) const;

 private:
  std::vector<torch::Tensor> buffers_, weights_;
  torch::Tensor generator_;
  std::map<std::string, torch::Tensor> rule_;
  std::vector<double> rates_;
  std::optional<OptimizerState> optimizer_;
};

}  // namespace optotorch
