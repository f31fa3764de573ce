#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/model_device.h>

namespace optotorch {

double accuracy(const torch::Tensor& output, const torch::Tensor& target) {
  OPTOTORCH_CHECK(
      output.dim() == 2 && !output.is_complex() && target.dim() == 1 && target.size(0) == output.size(0),
      .where = "accuracy", .argument = "output, target", .expected = "[batch, classes] and [batch]",
      .got = describe(output) + " and " + describe(target));
  return output.argmax(1).eq(target).to(torch::kFloat64).mean().item<double>();
}

MetricSum evaluate_every(HybridImpl& model, const BatchSource& source, const Metric& metric, int64_t first,
                         int64_t stride) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  MetricSum result;
  for (int64_t index = first; index < source.size(); index += stride) {
    const auto batch = on_device_of(model, source.batch(0, index));
    const auto weight = static_cast<double>(metric.weight(batch.target));
    result.sum += metric(model.forward(batch.data), batch.target) * weight;
    result.weight += weight;
  }
  model.train(was_training);
  return result;
}

double evaluate(HybridImpl& model, const BatchSource& source, const Metric& metric) {
  const auto [sum, weight] = evaluate_every(model, source, metric, 0, 1);
  return weight > 0 ? sum / weight : 0;
}

}  // namespace optotorch
