#include <optotorch/core/check.h>
#include <optotorch/modules/at_layer.h>
#include <optotorch/modules/hybrid.h>

#include <algorithm>

namespace optotorch {

void HybridImpl::push_back(std::string name, std::shared_ptr<Layer> layer) {
  const auto electronic = std::dynamic_pointer_cast<ElectronicBlock>(layer);
  register_module(name,
                  electronic ? electronic->module() : std::static_pointer_cast<torch::nn::Module>(layer));
  const auto role = layer->role();
  const size_t index = layers_.size();
  // A response that learns fills its block as a component does: a signal that enters a block ends at its
  // component and would not reach a parameter below.
  const bool filled =
      !blocks_.empty() &&
      (blocks_.back().trainable || layers_[blocks_.back().component]->role() == Layer::Role::component);
  if (blocks_.empty() || role == Layer::Role::source || (role == Layer::Role::component && filled)) {
    blocks_.push_back({.begin = index, .component = index, .end = index, .trainable = false});
  } else if (role == Layer::Role::component) {
    blocks_.back().component = index;
  }
  blocks_.back().end = index + 1;
  blocks_.back().trainable |= !layer->parameters().empty();
  layers_.push_back(std::move(layer));
  names_.push_back(std::move(name));
}

torch::Tensor HybridImpl::forward(const torch::Tensor& x) {
  torch::Tensor y = x;
  for (size_t index = 0; index < layers_.size(); ++index) {
    y = at_layer(index, *layers_[index], [&] { return layers_[index]->forward(y); });
  }
  return y;
}

std::vector<Pass> HybridImpl::propagate(const torch::Tensor& x, size_t first, Keep keep, size_t last) {
  last = std::min(last, layers_.size());
  OPTOTORCH_CHECK(first < last, .where = "Hybrid", .argument = "layers",
                  .expected = "at least one layer from number " + std::to_string(first) + " on",
                  .got = std::to_string(layers_.size()) + " layers", .remedy = "");
  std::vector<Pass> passes;
  passes.reserve(last - first);
  for (size_t index = first; index < last; ++index) {
    passes.push_back(at_layer(index, *layers_[index], [&] {
      return layers_[index]->propagate(passes.empty() ? x : passes.back().output, keep);
    }));
  }
  return passes;
}

torch::Tensor HybridImpl::update(const Block& block, const std::vector<Pass>& passes, torch::Tensor signal,
                                 Hook hook, bool to_input) {
  const size_t last = to_input ? block.begin : block.component;
  for (size_t index = block.end; index-- > last;) {
    signal = at_layer(index, *layers_[index], [&] {
      return ((*layers_[index]).*hook)(passes[index], signal, to_input || index > last);
    });
  }
  return signal;
}

std::vector<Block> HybridImpl::trainable_blocks() const {
  auto blocks = blocks_;
  std::erase_if(blocks, [](const Block& block) { return !block.trainable; });
  return blocks;
}

std::shared_ptr<torch::nn::Module> HybridImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<HybridImpl>();
  copy->train(is_training());  // before it has layers: each keeps its own mode
  for (size_t index = 0; index < layers_.size(); ++index) {
    copy->push_back(names_[index], std::dynamic_pointer_cast<Layer>(layers_[index]->clone(device)));
  }
  return copy;
}

void HybridImpl::load(torch::serialize::InputArchive& archive) {
  load_checked(*this, [&] { torch::nn::Module::load(archive); });
}

}  // namespace optotorch
