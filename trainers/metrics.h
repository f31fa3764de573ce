#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/rules/rule.h>

namespace optotorch {

/// A number for a batch, averaged over its samples, from output and target.
using Metric = std::function<double(const torch::Tensor& output, const torch::Tensor& target)>;

/// Fraction of samples whose largest output [batch, classes] stands at the target class [batch].
double accuracy(const torch::Tensor& output, const torch::Tensor& target);

/// The mean of a metric over all samples of epoch 0 of a source, the network in eval mode (and then as
/// before).
double evaluate(HybridImpl& model, const BatchSource& source, const Metric& metric = accuracy);

}  // namespace optotorch
