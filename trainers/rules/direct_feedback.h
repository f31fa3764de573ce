#pragma once

#include <optotorch/trainers/rules/rule.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for DirectFeedback.
struct DirectFeedbackOptions {
  /// Seed of the random matrices; block l draws its own rows.
  TORCH_ARG(int64_t, seed) = 0;
  /// Standard deviation of an entry of B_l, times the square root of the error's size.
  TORCH_ARG(double, scale) = 1;
};

/// Direct feedback alignment: the signal at the output of hidden block l is B_l e, with e the error at the
/// network's output and B_l [outputs of block l, outputs] fixed and random; the block's own slope is applied
/// locally. The head gets its exact gradient. Complex blocks get complex B_l. Source: Nokland, arXiv
/// 1609.01596; Launay et al., arXiv 2006.12878.
class DirectFeedback : public Rule {
 public:
  explicit DirectFeedback(DirectFeedbackOptions options = {});

  std::string name() const override { return "dfa"; }

  /// Replaces the matrices: one per hidden block with parameters, in order. A matrix holds from then on.
  void set_feedback(std::vector<torch::Tensor> matrices);

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override;

 private:
  const torch::Tensor& matrix(size_t hidden, const torch::Tensor& output, const torch::Tensor& error);

  DirectFeedbackOptions options_;
  std::vector<torch::Tensor> matrices_;  // made when first needed: a pure function of seed and shape
};

}  // namespace optotorch
