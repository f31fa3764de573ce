#pragma once

// Parameters that do not learn, optical and electronic alike: those without `requires_grad`.
//
//     freeze(net->layer(1));                      // a layer
//     mesh->phi.requires_grad_(false);            // one of its parameters
//
// No rule, no `differentiable` and no optimiser moves them, since they get no gradient; signals pass a frozen
// layer as before. clone(), torch::save and checkpoints keep it.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <string>
#include <vector>

namespace optotorch {

/// Takes `requires_grad` from all parameters, and the `.grad` that they have: weight decay and momentum would
/// move what has one.
void freeze(torch::nn::Module& module);

/// Gives it back to all of them.
void unfreeze(torch::nn::Module& module);

/// The same for a module holder: `freeze(mesh)`.
template <typename Contained>
void freeze(const torch::nn::ModuleHolder<Contained>& holder) {
  freeze(*holder.ptr());
}
/// The same for a module holder: `unfreeze(mesh)`.
template <typename Contained>
void unfreeze(const torch::nn::ModuleHolder<Contained>& holder) {
  unfreeze(*holder.ptr());
}

/// True if any parameter learns.
bool is_trainable(const torch::nn::Module& module);

/// Names of the parameters that do not learn, in their order.
std::vector<std::string> frozen_parameters(const torch::nn::Module& module);

/// Freezes these parameters and lets all others learn. Throws c10::ValueError, with nothing changed, for a
/// name that the module does not have.
void set_frozen(torch::nn::Module& module, const std::vector<std::string>& names);

}  // namespace optotorch
