#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/random_matrix.h>

#include <cmath>

namespace optotorch {

DirectFeedback::DirectFeedback(DirectFeedbackOptions options) : options_(std::move(options)) {
  OPTOTORCH_CHECK(std::isfinite(options_.scale()) && options_.scale() > 0, .where = name(),
                  .argument = "scale", .expected = "a positive number",
                  .got = std::to_string(options_.scale()), .remedy = "");
}

void DirectFeedback::set_feedback(std::vector<torch::Tensor> matrices) {
  matrices_ = std::move(matrices);
}

const torch::Tensor& DirectFeedback::matrix(size_t hidden, const torch::Tensor& output,
                                            const torch::Tensor& error) {
  if (matrices_.size() <= hidden) {
    matrices_.resize(hidden + 1);
  }
  auto& b = matrices_[hidden];
  const int64_t rows = output.size(1), columns = error.size(1);
  if (!b.defined()) {
    const auto type = error.is_complex() ? c10::toComplexType(c10::toRealValueType(output.scalar_type()))
                                         : output.scalar_type();
    b = normal_matrix(rows, columns, options_.seed(), /*stream=*/hidden, type).to(output.device());
    b.mul_(options_.scale() / std::sqrt(static_cast<double>(columns)));
  }
  OPTOTORCH_CHECK(b.dim() == 2 && b.size(0) == rows && b.size(1) == columns, .where = name(),
                  .argument = "feedback",
                  .expected = c10::str("[", rows, ", ", columns, "] for hidden block ", hidden),
                  .got = describe(b), .remedy = "A rule serves one network: make a new one");
  return b;
}

void DirectFeedback::teach(HybridImpl& model, const Lesson& lesson) {
  const auto blocks = model.trainable_blocks();
  const auto& passes = lesson.passes;
  const auto error = lesson.dL_dy.flatten(1);
  for (size_t hidden = 0; hidden + 1 < blocks.size(); ++hidden) {
    const auto& output = passes[blocks[hidden].end - 1].output;
    const auto& b = matrix(hidden, output.flatten(1), error);
    const auto e = error.to(b.scalar_type());
    auto signal = e.mm(b.t()).reshape(output.sizes());
    if (signal.is_complex() && !output.is_complex()) {
      signal = at::real(signal);
    }
    model.update(blocks[hidden], passes, signal, &Layer::dfa_update);
  }
  teach_head(model, passes, lesson.dL_dy);
}

}  // namespace optotorch
