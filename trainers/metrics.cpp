#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/metrics.h>

namespace optotorch {

double accuracy(const torch::Tensor& output, const torch::Tensor& target) {
  OPTOTORCH_CHECK(
      output.dim() == 2 && !output.is_complex() && target.dim() == 1 && target.size(0) == output.size(0),
      .where = "accuracy", .argument = "output, target", .expected = "[batch, classes] and [batch]",
      .got = describe(output) + " and " + describe(target));
  return output.argmax(1).eq(target).to(torch::kFloat64).mean().item<double>();
}

double evaluate(HybridImpl& model, const BatchSource& source, const Metric& metric) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  double sum = 0;
  int64_t samples = 0;
  for (int64_t index = 0; index < source.size(); ++index) {
    const auto batch = source.batch(0, index);
    const int64_t count = metric.weight(batch.target);
    sum += metric(model.forward(batch.data), batch.target) * static_cast<double>(count);
    samples += count;
  }
  model.train(was_training);
  return samples > 0 ? sum / static_cast<double>(samples) : 0;
}

}  // namespace optotorch
