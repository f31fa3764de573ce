#pragma once

#include <torch/nn/module.h>

#include <map>
#include <string>

namespace optotorch {

/// Weights and buffers of a network by name, copied.
std::map<std::string, torch::Tensor> weights_of(const torch::nn::Module& model);

/// Throws c10::ValueError if names, shapes or types are not those of the network, or if a value is NaN or
/// infinite.
void check_weights(const torch::nn::Module& model, const std::map<std::string, torch::Tensor>& weights);

/// Puts weights back. Throws c10::ValueError, with the network unchanged, if names, shapes or types differ,
/// or if a value is NaN or infinite.
void load_weights(torch::nn::Module& model, const std::map<std::string, torch::Tensor>& weights);

}  // namespace optotorch
