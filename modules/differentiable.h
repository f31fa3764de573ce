#pragma once

#include <optotorch/modules/layer.h>

namespace optotorch {

/// A layer as a node of an ordinary autograd graph: its backward is the layer's pull-back, so
/// `loss.backward()` trains an optical layer among torch::nn modules, also inside torch::nn::Sequential:
///
///     torch::nn::Sequential net(differentiable(mesh), torch::nn::Linear(128, 10));
///
/// Backward adds to the `.grad` of the layer's parameters, which are this module's parameters too. The graph
/// can be differentiated once (no double backward).
class DifferentiableImpl : public torch::nn::Module {
 public:
  explicit DifferentiableImpl(std::shared_ptr<Layer> layer);

  torch::Tensor forward(const torch::Tensor& x);
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;

 private:
  std::shared_ptr<Layer> layer_;
};

TORCH_MODULE(Differentiable);

/// Differentiable(layer), for a layer or its holder.
inline Differentiable differentiable(std::shared_ptr<Layer> layer) {
  return Differentiable(std::move(layer));
}

template <typename Contained>
Differentiable differentiable(const torch::nn::ModuleHolder<Contained>& holder) {
  return Differentiable(std::static_pointer_cast<Layer>(holder.ptr()));
}

}  // namespace optotorch
