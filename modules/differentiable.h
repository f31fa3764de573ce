#pragma once

#include <optotorch/modules/layer.h>

#include <map>

namespace optotorch {

/// A layer as a node of an ordinary autograd graph: its backward is the layer's pull-back, so
/// `loss.backward()` trains an optical layer among torch::nn modules, also inside torch::nn::Sequential:
///
///     torch::nn::Sequential net(differentiable(mesh), torch::nn::Linear(128, 10));
///
/// The layer's parameters are this module's parameters, and leaves of its graph as those of torch::nn::Linear
/// are: `backward()` adds to their `.grad`, torch::autograd::grad() returns their gradients, frozen ones get
/// none. Backward throws c10::ValueError if anything that the pull-back reads was changed in place since the
/// forward pass, and with create_graph: there are no second derivatives. As for LibTorch's own modules, what
/// is written through `data()` leaves no trace, a step of torch::optim::SGD among it.
class DifferentiableImpl : public torch::nn::Module {
 public:
  /// Shares the layer, which becomes the child `layer`.
  explicit DifferentiableImpl(std::shared_ptr<Layer> layer);

  /// y = f(x): a node of the graph if gradient mode is on, else the result of Layer::forward.
  torch::Tensor forward(const torch::Tensor& x);
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;

  /// The wrapped layer.
  const std::shared_ptr<Layer>& layer() const { return layer_; }

 private:
  /// For a torch::nn::Cloneable that holds one: by default nothing would be copied.
  void clone_(torch::nn::Module& other, const std::optional<torch::Device>& device) override;

  std::shared_ptr<Layer> layer_;
};

TORCH_MODULE(Differentiable);

/// Differentiable(layer), for a layer or its holder.
inline Differentiable differentiable(std::shared_ptr<Layer> layer) {
  // NOLINTNEXTLINE(modernize-return-braced-init-list): the holder's constructor is explicit
  return Differentiable(std::move(layer));
}

/// The same for a module holder.
template <typename Contained>
Differentiable differentiable(const torch::nn::ModuleHolder<Contained>& holder) {
  return Differentiable(std::static_pointer_cast<Layer>(holder.ptr()));
}

/// Stand-in for layers on a machine without OptoTorch.
using Deployments = std::map<const Layer*, Deployment>;

/// While it lives, on this thread: a Differentiable computes by what stands for its layer in `deployments`,
/// if anything does. So a torch::nn module with optical layers inside is traced (ElectronicBlock::deploy).
class DeployedScope {
 public:
  /// Takes over from an enclosing scope until it ends. `deployments` must outlive it.
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
