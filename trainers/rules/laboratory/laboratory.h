#pragma once

// What rules for a PhysicalNetwork share.

#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/trainers/rules/rule.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace optotorch {

/// The one PhysicalNetwork of a model and its layer number. Throws c10::ValueError, in the name of `rule`, if
/// there is none or more than one.
std::pair<PhysicalNetworkImpl*, size_t> laboratory_network(const std::string& rule, const HybridImpl& model);

/// The passes of all layers, with that of layer `index` made by `pass_at` from its input.
std::vector<Pass> passes_around(HybridImpl& model, size_t index, const torch::Tensor& input, Keep keep,
                                const std::function<Pass(const torch::Tensor& x)>& pass_at);

/// Copies of the corrections' parameters: "correction.0.theta_offset" ...
std::map<std::string, torch::Tensor> parameters_of(
    const std::vector<std::shared_ptr<Correction>>& corrections);

/// Puts them back. Throws c10::ValueError, in the name of `rule` and with nothing changed, if one is missing,
/// of another shape or type, or not finite.
void load_parameters(const std::string& rule, const std::vector<std::shared_ptr<Correction>>& corrections,
                     const std::map<std::string, torch::Tensor>& state);

}  // namespace optotorch
