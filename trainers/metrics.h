#pragma once

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/rules/rule.h>

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace optotorch {

/// A number for a batch, a mean, from output and target: what a Trainer logs, and by which it chooses the
/// best epoch on the validation set.
struct Metric {
  /// Computes the mean over one batch.
  using Function = std::function<double(const torch::Tensor& output, const torch::Tensor& target)>;
  /// Direction in which the metric improves.
  enum class Better { larger, smaller };
  /// Elements that it is a mean of: the samples, target [batch, ...], or all elements of the target, e.g.
  /// the tokens of texts. Batches are weighed by their number.
  enum class Over { samples, elements };

  /// Any function will do: without more it is taken for an accuracy.
  template <typename Call>
  requires(!std::same_as<Call, Metric> &&
           std::is_invocable_r_v<double, Call&, const torch::Tensor&, const torch::Tensor&>)
      // NOLINTNEXTLINE(google-explicit-constructor)
      Metric(Call call, std::string name = "accuracy", Better better = Better::larger,
             Over over = Over::samples)
      : function(std::move(call)), name(std::move(name)), better(better), over(over) {}

  /// The metric of a batch.
  double operator()(const torch::Tensor& output, const torch::Tensor& target) const {
    return function(output, target);
  }

  /// Number of samples or elements that the metric of a batch is the mean of.
  int64_t weight(const torch::Tensor& target) const {
    return over == Over::samples ? target.size(0) : target.numel();
  }

  /// True if `value` beats `than`; an equal value does not, nor does NaN.
  bool is_better(double value, double than) const {
    return better == Better::larger ? value > than : value < than;
  }

  Function function;  ///< computes the metric of a batch
  std::string name;   ///< as in the keys of metrics.jsonl, `train_accuracy`
  Better better;      ///< decides which epoch is the best
  Over over;          ///< decides what a batch weighs
};

/// Fraction of samples whose largest output [batch, classes] stands at the target class [batch].
double accuracy(const torch::Tensor& output, const torch::Tensor& target);

/// The mean of a metric over all samples (or elements) of epoch 0 of a source, the network in eval mode (and
/// then as before).
double evaluate(HybridImpl& model, const BatchSource& source, const Metric& metric = accuracy);

/// A sum of a metric over samples (or elements), each batch's times its weight, and the weights' sum.
struct MetricSum {
  double sum = 0,  ///< of the metric, weighted; sum / weight is the mean over all
      weight = 0;  ///< number of samples or elements; 0 without batches
};

/// The same of the batches first, first + stride, ...: ranks share out a set so.
MetricSum evaluate_every(HybridImpl& model, const BatchSource& source, const Metric& metric, int64_t first,
                         int64_t stride);

}  // namespace optotorch
