#pragma once

// Functions that rules for PhysicalNetworks share.

#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/trainers/rules/rule.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace optotorch {

/// A PhysicalNetwork of a model, and its layer number.
struct Placed {
  PhysicalNetworkImpl* network;  ///< owned by the model
  size_t index;                  ///< of the layer, from 0
  ConvolutionImpl* around;       ///< the layer there, if the network is its component; else nullptr

  /// What the network meets of the layer's input.
  torch::Tensor meets(const torch::Tensor& x) const;
  /// The layer's pass for the network's own.
  Pass whole(const torch::Tensor& x, Pass pass) const;
};

/// The PhysicalNetwork that layer number `index` is, or whose component it is; none: nullopt.
std::optional<Placed> placed_at(const HybridImpl& model, size_t index);

/// Those of a model, in the order in which light meets them. Throws c10::ValueError, in the name of `rule`,
/// if there is none.
std::vector<Placed> laboratory_networks(const std::string& rule, const HybridImpl& model);

/// The only one of a model. Throws c10::ValueError, in the name of `rule`, if there is none or more than one.
std::pair<PhysicalNetworkImpl*, size_t> laboratory_network(const std::string& rule, const HybridImpl& model);

/// The passes of all layers, with those of PhysicalNetworks made by `pass_at` from their inputs; `number`
/// counts them from 0.
std::vector<Pass> passes_around(
    const std::string& rule, HybridImpl& model, const torch::Tensor& input, Keep keep,
    const std::function<Pass(PhysicalNetworkImpl& network, size_t number, const torch::Tensor& x)>& pass_at);

/// Corrections of all PhysicalNetworks of a model, one after the other.
std::vector<std::shared_ptr<Correction>> corrections_of(const std::string& rule, const HybridImpl& model);

/// Copies of the corrections' parameters: "correction.0.theta_offset" ...
std::map<std::string, torch::Tensor> parameters_of(
    const std::vector<std::shared_ptr<Correction>>& corrections);

/// Puts them back. Throws c10::ValueError, in the name of `rule` and with nothing changed, if one is missing,
/// of another shape or type, or not finite.
void load_parameters(const std::string& rule, const std::vector<std::shared_ptr<Correction>>& corrections,
                     const std::map<std::string, torch::Tensor>& state);

}  // namespace optotorch
