#pragma once

#include <torch/optim/optimizer.h>

#include <map>
#include <string>

namespace optotorch {

/// The state of any torch::optim optimiser as plain tensors and a tree of numbers that refers to them by
/// name: what its own save() puts into an archive, without the archive.
struct OptimizerState {
  std::map<std::string, torch::Tensor> tensors;
  std::string tree;  ///< JSON
};

/// Reads the state through the optimiser's own serialisation, in memory.
OptimizerState optimizer_state(const torch::optim::Optimizer& optimizer);

/// Throws c10::ValueError unless `load_optimizer_state` would take the state: the groups and parameters are
/// this optimiser's, its options are in their domains, and every parameter's state is whole, of the
/// parameter's shape and type, counted from 0 on and free of NaN. Of a class that is not LibTorch's the names
/// are unknown: there a parameter's tensor must have the parameter's shape or at most one dimension.
void check_optimizer_state(const torch::optim::Optimizer& optimizer, const OptimizerState& state);

/// Puts it back. Throws c10::ValueError, with the optimiser unchanged, if it does not fit.
void load_optimizer_state(torch::optim::Optimizer& optimizer, const OptimizerState& state);

}  // namespace optotorch
