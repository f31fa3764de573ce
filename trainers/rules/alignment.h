#pragma once

// How well a rule's update points along the gradient.

#include <optotorch/trainers/rules/rule.h>

#include <memory>
#include <optional>
#include <vector>

namespace optotorch {

/// Where the true gradient comes from if not from back-propagation through the network itself: a rule and a
/// network with the same parameters, e.g. one that knows a physical system's errors.
struct TrueGradient {
  /// Network that the trained one's parameters are copied into.
  std::shared_ptr<HybridImpl> model;
  /// Rule whose step on it gives the gradient.
  std::shared_ptr<Rule> rule;
};

/// Cosine between the rule's update and the true gradient, one per block with parameters, in order. NaN where
/// an update or gradient is exactly zero. The rule, the model's buffers and parameters and their `.grad` are as
/// before, also if a step throws. The network of `truth` gets the model's parameters. Throws c10::ValueError
/// if its parameters have other shapes.
std::vector<double> alignment(Rule& rule, HybridImpl& model, const torch::Tensor& input,
                              const torch::Tensor& target, const Loss& loss,
                              const std::optional<TrueGradient>& truth = std::nullopt);

}  // namespace optotorch
