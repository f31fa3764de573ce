#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/operators/detail/vessel.h>

#include <unordered_map>
#include <utility>

namespace optotorch {
namespace {

bool counts(const torch::Tensor& buffer) {
  return !buffer.is_floating_point() && !buffer.is_complex();
}

}  // namespace

std::shared_ptr<Layer> layer_of(const std::string& description) {
  const auto object = parse_json(description, "layer", "layer", "a description of a layer");
  auto part = build_part(object, "layer", {});
  if (auto layer = std::dynamic_pointer_cast<Layer>(part.ptr())) {
    return layer;
  }
  OPTOTORCH_CHECK(object.value("dropout", 0.) == 0, .where = "layer", .argument = "dropout",
                  .expected = "0: the way back would not know what was dropped",
                  .got = object["dropout"].dump(), .remedy = "torch.nn.Dropout may stand behind it");
  return std::make_shared<ElectronicBlock>(std::move(part));
}

torch::nn::Module& tensors_of(Layer& layer) {
  auto* const block = dynamic_cast<ElectronicBlock*>(&layer);
  return block != nullptr ? *block->module() : static_cast<torch::nn::Module&>(layer);
}

Vessel& Vessel::of(const std::string& description) {
  constexpr size_t most = 1024;
  thread_local std::unordered_map<std::string, Vessel> all;
  const auto found = all.find(description);
  if (found != all.end()) {
    return found->second;
  }
  if (all.size() >= most) {
    all.clear();
  }
  return all.try_emplace(description, description).first->second;
}

Vessel::Vessel(const std::string& description)
    : layer_(layer_of(description)),
      parameters_(tensors_of(*layer_).parameters()),
      buffers_(tensors_of(*layer_).buffers()),
      nothing_(at::empty({0})) {
  for (const auto& tensors : {parameters_, buffers_}) {
    for (const auto& tensor : tensors) {
      shapes_.push_back(tensor.sizes().vec());
    }
  }
  empty();
}

Layer& Vessel::filled(at::TensorList state, bool training) {
  OPTOTORCH_CHECK(state.size() == shapes_.size(), .where = layer_->name(), .argument = "state",
                  .expected = c10::str(shapes_.size(), " tensors"), .got = std::to_string(state.size()));
  for (size_t i = 0; i < state.size(); ++i) {
    const auto& own = i < parameters_.size() ? parameters_[i] : buffers_[i - parameters_.size()];
    OPTOTORCH_CHECK(
        state[i].defined() && state[i].layout() == at::kStrided && state[i].is_cpu() &&
            state[i].sizes() == at::IntArrayRef(shapes_[i]) &&
            (state[i].is_floating_point() ? own.is_floating_point()
                                          : state[i].scalar_type() == own.scalar_type()),
        .where = layer_->name(), .argument = c10::str("state[", i, "]"),
        .expected = c10::str("dense ", type_name(own.scalar_type()), " ", at::IntArrayRef(shapes_[i])),
        .got = describe(state[i]));
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].set_data(state[i].detach());
  }
  for (size_t i = 0; i < buffers_.size(); ++i) {
    const auto& given = state[parameters_.size() + i];
    buffers_[i].set_data(counts(given) ? given.detach().clone() : given.detach());
  }
  if (layer_->is_training() != training) {
    layer_->train(training);
  }
  return *layer_;
}

void Vessel::empty() {
  for (auto* tensors : {&parameters_, &buffers_}) {
    for (auto& tensor : *tensors) {
      tensor.set_data(nothing_.to(tensor.options()));
    }
  }
}

std::vector<torch::Tensor> Vessel::counters() const {
  std::vector<torch::Tensor> all;
  for (const auto& buffer : buffers_) {
    if (counts(buffer)) {
      all.push_back(buffer.clone());
    }
  }
  return all;
}

bool Vessel::keeps_nothing(const torch::Tensor& input) {
  if (input.dim() == 0 || input.size(0) == 0) {
    return false;
  }
  if (!keeps_nothing_) {
    const auto before = counters();
    const auto pass = layer_->propagate(input.narrow(0, 0, 1));
    keeps_nothing_ = pass.saved.empty() && pass.inside.empty();
    auto count = before.begin();
    for (auto& buffer : buffers_) {
      if (counts(buffer)) {
        buffer.copy_(*count++);
      }
    }
  }
  return *keeps_nothing_;
}

}  // namespace optotorch
