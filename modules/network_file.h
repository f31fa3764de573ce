#pragma once

// A network in one file: its architecture (describe.h) and its weights.

#include <optotorch/modules/hybrid.h>
#include <torch/nn/module.h>

#include <string>

namespace optotorch {

/// Writes the network to a safetensors file, atomically: parameters and buffers by name, the description as
/// metadata `network`, names of frozen parameters as `frozen`. Python's `safetensors` reads it. Throws
/// c10::ValueError for a layer whose type is not registered, and if writing fails.
void save_network(const HybridImpl& network, const std::string& path);

/// The network in the file, in training mode. No code is executed. Throws c10::ValueError, naming the file,
/// if it is damaged, holds no network, or a layer whose type is not registered, if its layers ask for far
/// more memory than its tensors take, and if its tensors are not those of the layers.
Hybrid load_network(const std::string& path);

/// Puts the tensors of a safetensors file into a network that is there, by name, as
///
///     safetensors.torch.save_file(model.state_dict(), path)
///
/// writes them in Python; so weights of a torch.nn network of the same names go into a torch::nn::Sequential or
/// a Hybrid, and on into optics (to_optical). Values of another floating point type become the network's.
/// What else the file says is not looked at. Throws c10::ValueError, naming the file, with the network
/// unchanged, if the file is damaged, or unless names and shapes are those of the network.
void load_network(const std::string& path, torch::nn::Module& network);

}  // namespace optotorch
