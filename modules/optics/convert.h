#pragma once

// Electronic networks made optical, and back.

#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/linear_map.h>
#include <torch/arg.h>

#include <map>
#include <string>

namespace torch::nn {
class SequentialImpl;
}

namespace optotorch {

/// Options for to_optical: ToOpticalOptions(Maps::weight_bank).layers({{"0", Maps::electronic}}).
struct ToOpticalOptions {
  /// Kinds of linear maps by the names of their modules.
  using Kinds = std::map<std::string, Maps>;
  /// Converts all linear maps to one kind, by default to meshes.
  ToOpticalOptions(Maps maps = Maps::mzi_linear) : maps_(maps) {}  // NOLINT(google-explicit-constructor)

  /// Kind of the linear maps.
  TORCH_ARG(Maps, maps);
  /// Kinds of single ones, by the module's name in the network: "0", "features.3".
  TORCH_ARG(Kinds, layers) = {};
};

/// A copy of an electronic network whose linear maps, torch::nn::Linear and torch::nn::Conv2d, are optical
/// components with the same weights. It computes the same function, to rounding; the original is as before.
///
/// | kind | torch::nn::Linear | torch::nn::Conv2d |
/// | --- | --- | --- |
/// | weight_bank | WeightBank, gain = max abs W, weights W / gain | Convolution of it |
/// | mzi_linear | LinearMap: W as two meshes and a row of amplitudes, read coherently | Convolution of it |
/// | electronic | itself | itself |
///
/// Groups of a convolution become the blocks of a BlockDiagonal. Everything else (activations, pools, norms,
/// a module of the user's own) is copied as it is; so are optical layers. A Hybrid in a Hybrid and a Sequential
/// in one become a Hybrid in one, so that all modules keep their names. What is frozen stays frozen.
///
/// Throws c10::ValueError for a name in `layers` that no linear map has, for padding other than with zeros, and
/// for a Linear of a WeightBank or mesh that would have more than 2^24 inputs or outputs.
Hybrid to_optical(const torch::nn::SequentialImpl& network, const ToOpticalOptions& options = {});
/// The same for a Hybrid.
Hybrid to_optical(const HybridImpl& network, const ToOpticalOptions& options = {});
/// The same for a module holder.
template <typename Network>
Hybrid to_optical(const torch::nn::ModuleHolder<Network>& network, const ToOpticalOptions& options = {}) {
  return to_optical(*network, options);
}

/// The way back: WeightBank, LinearMap and their Convolution become torch::nn::Linear and torch::nn::Conv2d
/// with the weights that the optics realise (rounded to `bits`, if a bank has them). Everything electronic is
/// copied. Throws c10::ValueError for a layer of light, such as a mesh between Modulator and Photodetector:
/// no torch::nn module of real weights is the same.
Hybrid to_electronic(const HybridImpl& network);
/// The same for a module holder.
inline Hybrid to_electronic(const Hybrid& network) {
  return to_electronic(*network);
}

}  // namespace optotorch
