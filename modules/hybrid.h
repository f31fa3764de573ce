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
  size_t begin = 0;        ///< first layer
  size_t component = 0;    ///< the linear component, or `begin` if there is none
  size_t end = 0;          ///< layer after the last
  bool trainable = false;  ///< true if any layer in it has parameters
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
///
/// The layers of a Hybrid in a Hybrid are taken over: they are layers of this one, in its blocks, as if they
/// were written here, under the names "2.0.theta". So are those of a torch::nn::Sequential that holds optical
/// layers or a Hybrid. Any other Sequential is one layer, as any torch::nn module is: LibTorch's autograd
/// runs through it.
class HybridImpl : public torch::nn::Module {
 public:
  HybridImpl() : torch::nn::Module("Hybrid") {}

  /// Adds its arguments one after the other, as push_back does.
  template <typename First, typename... Rest>
  requires(!std::derived_from<std::remove_cvref_t<First>, HybridImpl>) explicit HybridImpl(First&& first,
                                                                                           Rest&&... rest)
      : HybridImpl() {
    push_back(std::forward<First>(first));
    (push_back(std::forward<Rest>(rest)), ...);
  }

  /// Adds a layer. Every push_back throws c10::Error for a name that is empty, is taken or contains a dot.
  void push_back(std::string name, std::shared_ptr<Layer> layer);

  /// Takes over the layers that `hybrid` has now.
  void push_back(std::string name, const std::shared_ptr<HybridImpl>& hybrid);
  /// Takes over the modules of a Sequential that holds a layer or a Hybrid; adds any other as one layer.
  void push_back(std::string name, const std::shared_ptr<torch::nn::SequentialImpl>& sequential);

  /// Adds any torch::nn module whose forward takes and returns one tensor. What is a layer, or a Hybrid, is
  /// added as such.
  void push_back(std::string name, torch::nn::AnyModule module);

  /// Adds what a module holder holds: an optical layer, a container or a torch::nn module.
  template <typename Contained>
  void push_back(std::string name, const torch::nn::ModuleHolder<Contained>& holder) {
    if constexpr (std::derived_from<Contained, Layer>) {
      push_back(std::move(name), std::static_pointer_cast<Layer>(holder.ptr()));
    } else if constexpr (std::derived_from<Contained, HybridImpl>) {
      push_back(std::move(name), std::static_pointer_cast<HybridImpl>(holder.ptr()));
    } else if constexpr (std::derived_from<Contained, torch::nn::SequentialImpl> &&
                         !torch::detail::has_forward<Contained>::value) {
      push_back(std::move(name), std::static_pointer_cast<torch::nn::SequentialImpl>(holder.ptr()));
    } else {
      push_back(std::move(name), torch::nn::AnyModule(holder));
    }
  }

  /// Adds a layer, named after its position.
  void push_back(std::shared_ptr<Layer> layer) { push_back(next_name(), std::move(layer)); }
  /// Takes over the layers of a Hybrid, named after its position.
  void push_back(const std::shared_ptr<HybridImpl>& hybrid) { push_back(next_name(), hybrid); }
  /// Adds a torch::nn::Sequential, named after its position.
  void push_back(const std::shared_ptr<torch::nn::SequentialImpl>& sequential) {
    push_back(next_name(), sequential);
  }
  /// Adds a module, named after its position.
  void push_back(torch::nn::AnyModule module) { push_back(next_name(), std::move(module)); }
  /// Adds what a module holder holds, named after its position.
  template <typename Contained>
  void push_back(const torch::nn::ModuleHolder<Contained>& holder) {
    push_back(next_name(), holder);
  }

  /// The network's output, without a graph; in eval mode the output of what `export_torchscript` writes.
  /// Throws c10::ValueError where a graph would end here unnoticed (see Layer::forward).
  torch::Tensor forward(const torch::Tensor& x);

  /// One pass per layer of the stretch [first, last), by default of the whole network.
  std::vector<Pass> propagate(const torch::Tensor& x, size_t first = 0, Keep keep = Keep::context,
                              size_t last = all);
  /// Value of `last` for a stretch that reaches to the last layer.
  static constexpr size_t all = static_cast<size_t>(-1);

  /// The same of all layers, in which every tap begins a part of its own (tap.h): for rules whose signals
  /// enter there, too.
  std::vector<Pass> propagate_parts(const torch::Tensor& x);
  /// Values at the taps inside a layer in such a pass of it, in their order; none where there are none.
  std::vector<torch::Tensor> taps(size_t layer, const Pass& pass) const;
  /// Teaches a layer from signals at its taps (ElectronicBlock::tap_update). Throws c10::ValueError, with
  /// nothing changed, if the signals are not as many or do not fit.
  void tap_update(size_t layer, const Pass& pass, const std::vector<torch::Tensor>& signals);

  /// Sends `signal`, which stands at the output of `block`, down to the block's component (or to the block's
  /// input if `to_input`, returning the signal there), by `hook` of every layer. Gradients are accumulated on
  /// the way; where nothing on it learns nothing is done. passes[i] is the pass of layer i.
  torch::Tensor update(const Block& block, const std::vector<Pass>& passes, torch::Tensor signal, Hook hook,
                       bool to_input = false);

  /// The blocks in order; every layer belongs to one.
  const std::vector<Block>& blocks() const { return blocks_; }
  /// The blocks that have parameters, frozen ones too; the last of them is the head. Where signals enter is a
  /// matter of the network, not of what is frozen at the moment.
  std::vector<Block> trainable_blocks() const;
  /// True if any parameter of the block learns.
  bool learns(const Block& block) const;

  /// An addition under a name.
  struct Part {
    std::string name;                              ///< name of the child module
    std::shared_ptr<Layer> layer;                  ///< the layer that was added, or nullptr
    std::shared_ptr<torch::nn::Module> container;  ///< container of layers taken over, or nullptr
  };
  /// All additions, in order.
  const std::vector<Part>& parts() const { return parts_; }

  /// Number of layers, including those that were taken over.
  size_t size() const { return layers_.size(); }
  /// Layer number `index`, from 0. Throws std::out_of_range beyond the last.
  Layer& layer(size_t index) const { return *layers_.at(index); }

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  std::string next_name() const { return std::to_string(parts_.size()); }
  void append(std::shared_ptr<Layer> layer);
  void append(const HybridImpl& hybrid);
  void append(torch::nn::AnyModule module);

  std::vector<Part> parts_;
  std::vector<std::shared_ptr<Layer>> layers_;
  std::vector<Block> blocks_;
};

TORCH_MODULE(Hybrid);

}  // namespace optotorch
