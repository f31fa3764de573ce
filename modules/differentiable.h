#pragma once

#include <optotorch/modules/layer.h>

#include <map>

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

  const std::shared_ptr<Layer>& layer() const { return layer_; }

  /// An empty leaf that every graph of this module leads to. torch::autograd::grad runs only what leads to
  /// the inputs it is asked for, and the layer's parameters are not in the graph: whoever calls it asks for
  /// the anchor too, or they may get nothing. `loss.backward()` runs everything.
  const torch::Tensor& anchor() const { return anchor_; }

 private:
  /// For a torch::nn::Cloneable that holds one: by default nothing would be copied.
  void clone_(torch::nn::Module& other, const std::optional<torch::Device>& device) override;

  std::shared_ptr<Layer> layer_;
  torch::Tensor anchor_;
};

TORCH_MODULE(Differentiable);

/// Differentiable(layer), for a layer or its holder.
inline Differentiable differentiable(std::shared_ptr<Layer> layer) {
  // NOLINTNEXTLINE(modernize-return-braced-init-list): the holder's constructor is explicit
  return Differentiable(std::move(layer));
}

template <typename Contained>
Differentiable differentiable(const torch::nn::ModuleHolder<Contained>& holder) {
  return Differentiable(std::static_pointer_cast<Layer>(holder.ptr()));
}

/// What stands for layers on a machine without OptoTorch.
using Deployments = std::map<const Layer*, Deployment>;

/// While it lives, on this thread: a Differentiable computes by what stands for its layer in `deployments`,
/// if anything does. So a torch::nn module with optical layers inside is traced (ElectronicBlock::deploy).
class DeployedScope {
 public:
  explicit DeployedScope(const Deployments& deployments);
  ~DeployedScope();
  DeployedScope(const DeployedScope&) = delete;
  DeployedScope& operator=(const DeployedScope&) = delete;
  DeployedScope(DeployedScope&&) = delete;
  DeployedScope& operator=(DeployedScope&&) = delete;

 private:
  const Deployments* outer_;
};

}  // namespace optotorch
