#pragma once

#include <optotorch/trainers/rules/error_projection.h>
#include <optotorch/trainers/rules/rule.h>

#include <vector>

namespace optotorch {

/// Direct feedback alignment: the signal at the output of hidden block l is B_l e, with e the error at the
/// network's output and B_l [outputs of block l, outputs] fixed and random; the block's own slope is applied
/// locally. The head gets its exact gradient.
///
/// Inside a block of torch::nn modules signals enter at its taps, too (tap.h), likewise. In the head, what
/// comes after its last tap is exact.
///
/// B_1, B_2, ... are rows of one tall matrix in the order of taps and blocks: one projection serves all of
/// them. With `ternary`, B e is sum_f a_f B q_f (TernaryFrames). Complex values count as two, (Re, Im), with
/// 1 / sqrt(2) of the scale. Source: Nokland, arXiv 1609.01596; Launay et al., arXiv 2006.12878 (shared rows,
/// arXiv 1906.04554).
class DirectFeedback : public Rule {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit DirectFeedback(DirectFeedbackOptions options = {});

  std::string name() const override { return "dfa"; }
  /// That of the projector.
  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

  /// Replaces the projector by matrices: one for every tap and hidden block with parameters, in order,
  /// complex ones for complex blocks.
  void set_feedback(std::vector<torch::Tensor> matrices);

 protected:
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override {
    return model.propagate_parts(input);
  }
  void teach(HybridImpl& model, const Lesson& lesson) override;

 private:
  std::vector<MakeSignal> signals(const std::vector<torch::Tensor>& places, const torch::Tensor& error);
  torch::Tensor given(size_t place, const torch::Tensor& output, const torch::Tensor& error) const;

  bool behind_head_;  // the output's error is projected
  ErrorProjection projection_;
  std::vector<torch::Tensor> matrices_;
};

}  // namespace optotorch
