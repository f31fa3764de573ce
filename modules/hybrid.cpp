#include <optotorch/core/check.h>
#include <optotorch/modules/at_layer.h>
#include <optotorch/modules/hybrid.h>
#include <torch/nn/modules/container/sequential.h>

#include <algorithm>

namespace optotorch {

namespace {

bool is_optical(const torch::nn::AnyModule& module) {
  return std::dynamic_pointer_cast<Layer>(module.ptr()) ||
         std::dynamic_pointer_cast<HybridImpl>(module.ptr());
}

}  // namespace

void HybridImpl::push_back(std::string name, std::shared_ptr<Layer> layer) {
  const auto electronic = std::dynamic_pointer_cast<ElectronicBlock>(layer);
  register_module(name,
                  electronic ? electronic->module() : std::static_pointer_cast<torch::nn::Module>(layer));
  append(layer);
  parts_.push_back({std::move(name), std::move(layer), nullptr});
}

void HybridImpl::push_back(std::string name, const std::shared_ptr<HybridImpl>& hybrid) {
  OPTOTORCH_CHECK(hybrid && hybrid.get() != this, .where = "Hybrid", .argument = name,
                  .expected = "another Hybrid", .got = hybrid ? "itself" : "nullptr");
  register_module(name, hybrid);
  append(*hybrid);
  parts_.push_back({std::move(name), nullptr, hybrid});
}

void HybridImpl::push_back(std::string name, const std::shared_ptr<torch::nn::SequentialImpl>& sequential) {
  if (std::none_of(sequential->begin(), sequential->end(), is_optical)) {
    push_back(std::move(name),
              std::static_pointer_cast<Layer>(std::make_shared<ElectronicBlock>(sequential)));
    return;
  }
  register_module(name, sequential);
  for (const auto& module : *sequential) {
    append(module);
  }
  parts_.push_back({std::move(name), nullptr, sequential});
}

void HybridImpl::push_back(std::string name, torch::nn::AnyModule module) {
  if (auto layer = std::dynamic_pointer_cast<Layer>(module.ptr())) {
    push_back(std::move(name), std::move(layer));
  } else if (const auto hybrid = std::dynamic_pointer_cast<HybridImpl>(module.ptr())) {
    push_back(std::move(name), hybrid);
  } else {
    push_back(std::move(name),
              std::static_pointer_cast<Layer>(std::make_shared<ElectronicBlock>(std::move(module))));
  }
}

void HybridImpl::append(torch::nn::AnyModule module) {
  if (auto layer = std::dynamic_pointer_cast<Layer>(module.ptr())) {
    append(std::move(layer));
  } else if (const auto hybrid = std::dynamic_pointer_cast<HybridImpl>(module.ptr())) {
    append(*hybrid);
  } else {
    append(std::make_shared<ElectronicBlock>(std::move(module)));
  }
}

void HybridImpl::append(const HybridImpl& hybrid) {
  for (const auto& layer : hybrid.layers_) {
    append(layer);
  }
}

void HybridImpl::append(std::shared_ptr<Layer> layer) {
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
}

torch::Tensor HybridImpl::forward(const torch::Tensor& x) {
  check_no_graph(*this, x);
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
                  .got = std::to_string(layers_.size()) + " layers");
  std::vector<Pass> passes;
  passes.reserve(last - first);
  for (size_t index = first; index < last; ++index) {
    passes.push_back(at_layer(index, *layers_[index], [&] {
      return layers_[index]->propagate(passes.empty() ? x : passes.back().output, keep);
    }));
  }
  return passes;
}

std::vector<Pass> HybridImpl::propagate_parts(const torch::Tensor& x) {
  std::vector<Pass> passes;
  passes.reserve(layers_.size());
  for (size_t index = 0; index < layers_.size(); ++index) {
    passes.push_back(at_layer(index, *layers_[index], [&] {
      const auto& input = passes.empty() ? x : passes.back().output;
      auto* const electronic = dynamic_cast<ElectronicBlock*>(layers_[index].get());
      return electronic != nullptr ? electronic->propagate_parts(input) : layers_[index]->propagate(input);
    }));
  }
  return passes;
}

std::vector<torch::Tensor> HybridImpl::taps(size_t layer, const Pass& pass) const {
  const auto* const electronic = dynamic_cast<const ElectronicBlock*>(layers_.at(layer).get());
  return electronic != nullptr ? electronic->taps(pass) : std::vector<torch::Tensor>();
}

void HybridImpl::tap_update(size_t layer, const Pass& pass, const std::vector<torch::Tensor>& signals) {
  auto* const electronic = dynamic_cast<ElectronicBlock*>(layers_.at(layer).get());
  OPTOTORCH_CHECK(electronic != nullptr || signals.empty(), .where = layers_[layer]->name(),
                  .argument = "signals", .expected = "none: there are no taps inside",
                  .got = std::to_string(signals.size()));
  if (electronic != nullptr) {
    electronic->tap_update(pass, signals);
  }
}

torch::Tensor HybridImpl::update(const Block& block, const std::vector<Pass>& passes, torch::Tensor signal,
                                 Hook hook, bool to_input) {
  if (!to_input && !learns(block)) {
    return {};
  }
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

bool HybridImpl::learns(const Block& block) const {
  return std::any_of(layers_.begin() + static_cast<int64_t>(block.begin),
                     layers_.begin() + static_cast<int64_t>(block.end),
                     [](const auto& layer) { return is_trainable(*layer); });
}

std::shared_ptr<torch::nn::Module> HybridImpl::clone(const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<HybridImpl>();
  copy->train(is_training());  // before it has layers: each keeps its own mode
  for (const auto& [name, layer, container] : parts_) {
    if (layer) {
      copy->push_back(name, std::dynamic_pointer_cast<Layer>(layer->clone(device)));
    } else if (const auto hybrid = std::dynamic_pointer_cast<HybridImpl>(container)) {
      copy->push_back(name, std::dynamic_pointer_cast<HybridImpl>(hybrid->clone(device)));
    } else {
      const auto sequential = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(container);
      copy->push_back(name, clone_sequential(*sequential, device));
    }
  }
  set_frozen(*copy, frozen_parameters(*this));
  return copy;
}

void HybridImpl::save(torch::serialize::OutputArchive& archive) const {
  torch::nn::Module::save(archive);
  save_frozen(*this, archive);
}

void HybridImpl::load(torch::serialize::InputArchive& archive) {
  load_checked(*this, archive, [&] { torch::nn::Module::load(archive); });
}

}  // namespace optotorch
