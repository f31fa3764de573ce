#pragma once

#include <optotorch/modules/layer.h>
#include <optotorch/modules/tap.h>
#include <torch/nn/modules/container/any.h>

namespace optotorch {

/// The adapter that gives any torch::nn module `Tensor forward(Tensor)` the contract of a Layer. LibTorch's
/// autograd runs inside this one module only: `propagate` keeps its graph in the pass, the pull-back ends at
/// its input. Optical layers inside it (differentiable.h) learn by their own pull-backs.
///
/// Where the module calls `tap`, a rule may reach inside (tap.h).
///
/// A module with parameters is a component; one without (an activation, pooling, Flatten) is a response:
/// behind it a two-pass difference of the input's shape is handed on, any other is pulled back.
class ElectronicBlock : public Layer {
 public:
  explicit ElectronicBlock(torch::nn::AnyModule module);

  Role role() const override;
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  std::vector<torch::Tensor> taps(const Pass& pass) const override;
  void tap_update(const Pass& pass, const std::vector<torch::Tensor>& signals) override;
  Adjoint adjoint(const torch::Tensor& x) const override;
  /// Of an optical layer inside, what it deploys stands in for its parameters.
  Deployment deploy() override;
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

  /// The torch::nn module itself.
  const std::shared_ptr<torch::nn::Module>& module() const { return module_; }

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) override;
  torch::Tensor compute_parts(const torch::Tensor& x, std::vector<torch::Tensor>* saved) override;
  torch::Tensor evaluate(const torch::Tensor& x) override { return compute(x, nullptr); }
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  torch::Tensor record(const torch::Tensor& x, TapScope::Mode mode, std::vector<torch::Tensor>& saved);
  torch::Tensor learn(const std::vector<torch::Tensor>& ends, const std::vector<torch::Tensor>& signals,
                      const torch::Tensor& input);
  torch::nn::AnyModule any_;
  std::shared_ptr<torch::nn::Module> module_;
};

}  // namespace optotorch
