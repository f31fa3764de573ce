#include <optotorch/trainers/detail/step_sums.h>

namespace optotorch {

StepSums::StepSums(const StepResult& result, const torch::Tensor& target, int64_t counting,
                   const Metric& metric_of, const std::map<std::string, double>& measured)
    : weight(counting > 0 ? static_cast<double>(metric_of.weight(target)) : 0),
      samples(static_cast<double>(counting)) {
  if (counting == 0) {
    for (const auto& [name, value] : measured) {
      measures[name] = 0;
    }
    return;
  }
  loss = result.loss.item<double>() * weight;
  metric = metric_of(result.output, target) * weight;
  for (const auto& [name, value] : measured) {
    measures[name] = value * weight;
  }
}

std::vector<double> StepSums::values(bool decides) const {
  std::vector<double> values{loss, metric, weight, samples, ends ? 1.0 : 0.0, saves && decides ? 1.0 : 0.0};
  for (const auto& [name, value] : measures) {
    values.push_back(value);
  }
  return values;
}

StepSums StepSums::with(const std::vector<double>& sums) const {
  StepSums all = *this;
  auto next = sums.begin();
  for (double* value : {&all.loss, &all.metric, &all.weight, &all.samples}) {
    *value = *next++;
  }
  all.ends = *next++ > 0;
  all.saves = *next++ > 0;
  for (auto& [name, value] : all.measures) {
    value = *next++;
  }
  return all;
}

void StepSums::add_to(RunPosition& position) const {
  position.loss_sum += loss;
  position.accuracy_sum += metric;
  for (const auto& [name, value] : measures) {
    position.measure_sums[name] += value;
  }
  position.samples += static_cast<int64_t>(weight);
}

}  // namespace optotorch
