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

/// Puts it back. A tensor that belongs to a parameter must have its shape (or be a scalar or a vector, as
/// LBFGS keeps). Throws c10::ValueError, with the optimiser unchanged, if the state is another optimiser's or
/// another network's.
void load_optimizer_state(torch::optim::Optimizer& optimizer, const OptimizerState& state);

}  // namespace optotorch
