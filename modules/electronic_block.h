#pragma once

#include <optotorch/modules/layer.h>
#include <optotorch/modules/tap.h>
#include <torch/nn/modules/container/any.h>

namespace torch::nn {
class SequentialImpl;
}

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
  /// Wraps a module whose forward takes and returns one tensor; it is shared, not copied.
  explicit ElectronicBlock(torch::nn::AnyModule module);
  /// A torch::nn::Sequential, which AnyModule does not take.
  explicit ElectronicBlock(const std::shared_ptr<torch::nn::SequentialImpl>& sequential);

  /// A component if the module has parameters, else a response.
  Role role() const override;
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;

  /// y = f(x), as `propagate`, in which every tap begins a part of its own (tap.h).
  Pass propagate_parts(const torch::Tensor& x);
  /// Values at the taps in such a pass, in their order.
  std::vector<torch::Tensor> taps(const Pass& pass) const;
  /// Adds to the `.grad` of the parameters before each tap, and behind the tap before it, from a signal at
  /// it: signals[i] in shape and type of taps(pass)[i]. What is behind the last tap learns from the signal at
  /// the output, as ever. Throws c10::ValueError, with nothing changed, if the signals are not as many or do
  /// not fit.
  void tap_update(const Pass& pass, const std::vector<torch::Tensor>& signals);

  Adjoint adjoint(const torch::Tensor& x) const override;
  /// Parts of the optical layers inside.
  Footprint footprint() const override;
  /// An optical layer inside is deployed, too: that stands in for its parameters.
  Deployment deploy() override;
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void pretty_print(std::ostream& stream) const override;

  /// The torch::nn module itself.
  const std::shared_ptr<torch::nn::Module>& module() const { return module_; }

 protected:
  /// Nothing: LibTorch's graph looks after what it reads.
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override { return {}; }
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor evaluate(const torch::Tensor& x) override { return compute(x, nullptr); }
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  ElectronicBlock(torch::nn::AnyModule module, std::shared_ptr<torch::nn::Module> shown);
  torch::Tensor record(const torch::Tensor& x, TapScope::Mode mode, Pass& kept);
  torch::Tensor learn(const std::vector<torch::Tensor>& ends, const std::vector<torch::Tensor>& signals,
                      const torch::Tensor& input);
  torch::nn::AnyModule any_;
  std::shared_ptr<torch::nn::Module> module_;
};

/// A deep copy with the names of its modules and its mode, which LibTorch's own forgets.
std::shared_ptr<torch::nn::SequentialImpl> clone_sequential(const torch::nn::SequentialImpl& sequential,
                                                            const std::optional<torch::Device>& device);

}  // namespace optotorch
