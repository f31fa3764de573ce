#pragma once

#include <optotorch/trainers/detail/run_position.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/rule.h>

#include <map>
#include <string>
#include <vector>

namespace optotorch {

/// Figures of one step, weighted so that those of several ranks add up to the whole batch's; and what the ranks
/// decide together.
struct StepSums {
  double loss = 0, metric = 0, weight = 0;  ///< the first two times the metric's weight
  double samples = 0;
  std::map<std::string, double> measures = {};
  bool ends = false, saves = false;  ///< a signal asked for an end; it is time for a checkpoint

  StepSums() = default;
  /// Those of a rank, of whose batch so many samples count: all, or none.
  StepSums(const StepResult& result, const torch::Tensor& target, int64_t samples, const Metric& metric,
           const std::map<std::string, double>& measures);

  /// As numbers that add up over ranks. Checkpoints are for the rank that `decides` to say, an end for anyone.
  std::vector<double> values(bool decides) const;
  /// The same with the sums of such numbers.
  StepSums with(const std::vector<double>& sums) const;

  void add_to(RunPosition& position) const;
};

}  // namespace optotorch
