#pragma once

#include <torch/types.h>

#include <unordered_map>

namespace optotorch {

/// While it lives, on this thread: what `Layer::accumulate` would add to the `.grad` of parameters comes
/// here. So a pull-back becomes the backward of a node in a graph of LibTorch's (differentiable.h), whose
/// engine decides what becomes of the gradients.
class GradientSink {
 public:
  GradientSink();
  ~GradientSink();
  GradientSink(const GradientSink&) = delete;
  GradientSink& operator=(const GradientSink&) = delete;
  GradientSink(GradientSink&&) = delete;
  GradientSink& operator=(GradientSink&&) = delete;

  /// That of this thread; nullptr: gradients go to `.grad`.
  static GradientSink* innermost();

  void add(const torch::Tensor& parameter, const torch::Tensor& gradient);
  /// The sum of what was added for `parameter`; undefined if nothing was.
  torch::Tensor of(const torch::Tensor& parameter) const;

 private:
  std::unordered_map<const c10::TensorImpl*, torch::Tensor> gradients_;
  GradientSink* outer_;
};

}  // namespace optotorch
