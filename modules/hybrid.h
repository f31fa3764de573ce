#pragma once

#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/layer.h>

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace optotorch {

/// A stretch of layers that a rule treats as one: what prepares light, one linear component, and the
/// nonlinearity or detector that follows it. Layer numbers; half-open.
struct Block {
  size_t begin = 0;
  size_t component = 0;  ///< the linear component, or `begin` if there is none
  size_t end = 0;
  bool trainable = false;  ///< any layer in it has parameters
};

/// How a signal enters a layer: which of its hooks is called.
using Hook = torch::Tensor (Layer::*)(const Pass& pass, const torch::Tensor& signal, bool to_input);

/// A sequence of optical layers and ordinary torch::nn modules, in the manner of torch::nn::Sequential:
///
///     Hybrid net(FourierLens(8), MziMesh(64), Photodetector(), torch::nn::Linear(64, 10));
///
/// Layers are grouped into blocks as they arrive: a source opens a block; a component opens one unless the
/// last block has neither component nor parameters yet; everything else joins the last block. torch::nn
/// modules appear as children under their position, so that parameters are called "3.weight", as in
/// Sequential.
class HybridImpl : public torch::nn::Module {
 public:
  HybridImpl() : torch::nn::Module("Hybrid") {}

  template <typename First, typename... Rest>
  requires(!std::derived_from<std::remove_cvref_t<First>, HybridImpl>) explicit HybridImpl(First&& first,
                                                                                           Rest&&... rest)
      : HybridImpl() {
    push_back(std::forward<First>(first));
    (push_back(std::forward<Rest>(rest)), ...);
  }

  /// Adds a layer under the name of its position.
  void push_back(std::shared_ptr<Layer> layer) { push_back(std::to_string(size()), std::move(layer)); }
  void push_back(std::string name, std::shared_ptr<Layer> layer);

  /// Adds any torch::nn module whose forward takes and returns one tensor.
  void push_back(torch::nn::AnyModule module) {
    push_back(std::to_string(size()), std::make_shared<ElectronicBlock>(std::move(module)));
  }

  /// Adds what a module holder holds: an optical layer or a torch::nn module.
  template <typename Contained>
  void push_back(const torch::nn::ModuleHolder<Contained>& holder) {
    if constexpr (std::derived_from<Contained, Layer>) {
      push_back(std::static_pointer_cast<Layer>(holder.ptr()));
    } else {
      push_back(torch::nn::AnyModule(holder));
    }
  }

  /// The network's output, without a graph; in eval mode the output of what `export_torchscript` writes.
  torch::Tensor forward(const torch::Tensor& x);

  /// One pass per layer of the stretch [first, last), by default of the whole network.
  std::vector<Pass> propagate(const torch::Tensor& x, size_t first = 0, Keep keep = Keep::context,
                              size_t last = all);
  static constexpr size_t all = static_cast<size_t>(-1);

  /// Sends `signal`, which stands at the output of `block`, down to the block's component (or to the block's
  /// input if `to_input`, returning the signal there), by `hook` of every layer. Gradients are accumulated on
  /// the way. passes[i] is the pass of layer i.
  torch::Tensor update(const Block& block, const std::vector<Pass>& passes, torch::Tensor signal, Hook hook,
                       bool to_input = false);

  const std::vector<Block>& blocks() const { return blocks_; }
  /// The blocks that have parameters; the last of them is the head.
  std::vector<Block> trainable_blocks() const;

  size_t size() const { return layers_.size(); }
  Layer& layer(size_t index) const { return *layers_.at(index); }

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  std::vector<std::shared_ptr<Layer>> layers_;
  std::vector<std::string> names_;
  std::vector<Block> blocks_;
};

TORCH_MODULE(Hybrid);

}  // namespace optotorch
