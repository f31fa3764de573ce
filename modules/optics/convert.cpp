#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/block_diagonal.h>
#include <optotorch/modules/optics/convert.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>

namespace optotorch {
namespace {

using LayerPointer = std::shared_ptr<Layer>;

/// y = x W^T + b with what of it learns.
struct RealMap {
  torch::Tensor weight;  ///< [outputs, inputs]
  torch::Tensor bias;    ///< [outputs], or undefined
};

LayerPointer electronic(torch::nn::AnyModule module) {
  return std::make_shared<ElectronicBlock>(std::move(module));
}

/// Parameters learn as those of the original do.
void freeze_like(torch::nn::Module& module, const RealMap& map) {
  for (auto& item : module.named_parameters()) {
    const bool is_bias = item.key() == "bias";
    item.value().requires_grad_((is_bias && map.bias.defined() ? map.bias : map.weight).requires_grad());
  }
}

LayerPointer weight_bank(const RealMap& map) {
  const double most = map.weight.abs().max().item<double>();
  const double gain = most > 0 ? most : 1;
  WeightBank bank(
      WeightBankOptions(map.weight.size(1), map.weight.size(0)).gain(gain).bias(map.bias.defined()));
  bank->to(map.weight.device(), map.weight.scalar_type());
  bank->set_weight(map.weight.detach() / gain);
  if (map.bias.defined()) {
    bank->bias.copy_(map.bias);
  }
  freeze_like(*bank, map);
  return bank.ptr();
}

LayerPointer meshes(const RealMap& map) {
  LinearMap linear(LinearMapOptions(map.weight.size(1), map.weight.size(0))
                       .maps(Maps::mzi_linear)
                       .bias(map.bias.defined()));
  linear->to(map.weight.device(), map.weight.scalar_type());
  dynamic_cast<MziLinearImpl&>(*linear->optics->layer()).set_matrix(map.weight.detach());
  if (map.bias.defined()) {
    linear->bias.copy_(map.bias);
  }
  freeze_like(*linear, map);
  return electronic(torch::nn::AnyModule(linear));
}

LayerPointer component(const RealMap& map, Maps kind, const std::string& name) {
  OPTOTORCH_CHECK(map.weight.is_floating_point() && map.weight.isfinite().all().item<bool>(),
                  .where = "to_optical", .argument = name, .expected = "finite weights",
                  .got = describe(map.weight) + " with others");
  return kind == Maps::weight_bank ? weight_bank(map) : meshes(map);
}

/// Numbers of pixels around the image.
torch::ExpandingArray<2> padding_of(const torch::nn::Conv2dImpl& layer, const std::string& name) {
  const auto& o = layer.options;
  OPTOTORCH_CHECK(std::holds_alternative<torch::enumtype::kZeros>(o.padding_mode()), .where = "to_optical",
                  .argument = name, .expected = "padding with zeros",
                  .got = torch::enumtype::get_enum_name(o.padding_mode()),
                  .remedy = "Put a padding module before it, or name it electronic in `layers`");
  if (const auto* const numbers = std::get_if<torch::ExpandingArray<2>>(&o.padding())) {
    return *numbers;
  }
  std::vector<int64_t> sides{0, 0};
  if (std::holds_alternative<torch::enumtype::kSame>(o.padding())) {
    for (size_t axis = 0; axis < 2; ++axis) {
      const int64_t around = o.dilation()->at(axis) * (o.kernel_size()->at(axis) - 1);
      OPTOTORCH_CHECK(around % 2 == 0, .where = "to_optical", .argument = name,
                      .expected = "padding 'same' of a kernel of odd size", .got = c10::str(o.kernel_size()),
                      .remedy = "Put a padding module before it, or name it electronic in `layers`");
      sides[axis] = around / 2;
    }
  }
  return at::IntArrayRef(sides);
}

LayerPointer optical(const torch::nn::Conv2dImpl& layer, Maps kind, const std::string& name) {
  const auto& o = layer.options;
  const auto padding = padding_of(layer, name);
  const auto weight = layer.weight.flatten(1);
  LayerPointer map;
  if (o.groups() == 1) {
    map = component({weight, layer.bias}, kind, name);
  } else {
    std::vector<DiagonalBlock> blocks;
    const int64_t outputs = weight.size(0) / o.groups();
    for (int64_t g = 0; g < o.groups(); ++g) {
      const auto part = [&](const torch::Tensor& whole) {
        return whole.defined() ? whole.narrow(0, g * outputs, outputs) : whole;
      };
      blocks.push_back({component({part(weight), part(layer.bias)}, kind, name), {weight.size(1)}});
    }
    map = std::make_shared<BlockDiagonalImpl>(std::move(blocks));
  }
  return std::make_shared<ConvolutionImpl>(ConvolutionOptions(std::move(map), o.kernel_size())
                                               .stride(o.stride())
                                               .padding(padding)
                                               .dilation(o.dilation()));
}

/// Goes through a network and makes another, module by module.
class Conversion {
 public:
  explicit Conversion(const ToOpticalOptions& options) : options_(options) {}

  Hybrid of(const torch::nn::SequentialImpl& network, const std::string& prefix = "") {
    Hybrid result;
    const auto children = network.named_children();
    auto child = children.begin();
    for (const auto& module : network) {
      add(*result, (child++)->key(), prefix, module.ptr().get(), [&module] { return module.clone(); });
    }
    result->train(network.is_training());
    return result;
  }

  Hybrid of(const HybridImpl& network, const std::string& prefix = "") {
    Hybrid result;
    for (const auto& part : network.parts()) {
      const auto name = prefix + part.name + ".";
      if (const auto* const hybrid = dynamic_cast<const HybridImpl*>(part.container.get())) {
        result->push_back(part.name, of(*hybrid, name));
      } else if (const auto* const list =
                     dynamic_cast<const torch::nn::SequentialImpl*>(part.container.get())) {
        result->push_back(part.name, of(*list, name));
      } else if (const auto* const block = dynamic_cast<const ElectronicBlock*>(part.layer.get())) {
        if (const auto* const inner = dynamic_cast<const torch::nn::SequentialImpl*>(block->module().get())) {
          result->push_back(part.name, of(*inner, name));
        } else {
          add(*result, part.name, prefix, block->module().get(), [&part] { return copied(*part.layer); });
        }
      } else {
        result->push_back(part.name, copied(*part.layer));
      }
    }
    result->train(network.is_training());
    return result;
  }

  void expect_all_found() const {
    for (const auto& [name, kind] : options_.layers()) {
      OPTOTORCH_CHECK(std::find(seen_.begin(), seen_.end(), name) != seen_.end(), .where = "to_optical",
                      .argument = "layers", .expected = "names of linear maps: " + c10::Join(", ", seen_),
                      .got = name, .remedy = near(name));
    }
  }

 private:
  static LayerPointer copied(const Layer& layer) { return std::dynamic_pointer_cast<Layer>(layer.clone()); }

  std::string near(const std::string& name) const {
    const auto nearest = nearest_name(name, seen_);
    return nearest.empty() ? "" : "Did you mean " + nearest;
  }

  template <typename Copy>
  void add(HybridImpl& result, const std::string& key, const std::string& prefix,
           const torch::nn::Module* module, Copy&& copy) {
    const auto name = prefix + key;
    const auto* const linear = dynamic_cast<const torch::nn::LinearImpl*>(module);
    const auto* const convolution = dynamic_cast<const torch::nn::Conv2dImpl*>(module);
    Maps kind = Maps::electronic;
    if (linear != nullptr || convolution != nullptr) {
      seen_.push_back(name);
      const auto found = options_.layers().find(name);
      kind = found == options_.layers().end() ? options_.maps() : found->second;
    }
    if (kind == Maps::electronic) {
      result.push_back(key, copy());
    } else if (linear != nullptr) {
      result.push_back(key, component({linear->weight, linear->bias}, kind, name));
    } else {
      result.push_back(key, optical(*convolution, kind, name));
    }
  }

  ToOpticalOptions options_;
  std::vector<std::string> seen_;
};

/// The map that a layer is in electronics; nothing for one that has no such form.
std::optional<RealMap> real_map(const Layer& layer) {
  if (const auto* const bank = dynamic_cast<const WeightBankImpl*>(&layer)) {
    return RealMap{bank->weight() * bank->options.gain(), bank->bias};
  }
  const auto* const block = dynamic_cast<const ElectronicBlock*>(&layer);
  const auto* const map =
      block == nullptr ? nullptr : dynamic_cast<const LinearMapImpl*>(block->module().get());
  if (map == nullptr) {
    return std::nullopt;
  }
  switch (map->options.maps()) {
    case Maps::electronic:
      return RealMap{map->linear->weight, map->linear->bias};
    case Maps::weight_bank:
      return real_map(*map->optics->layer());
    case Maps::mzi_linear:
      break;
  }
  auto& meshes = dynamic_cast<MziLinearImpl&>(*map->optics->layer());
  return RealMap{at::real(meshes.matrix()).contiguous(), map->bias};
}

template <typename Module>
LayerPointer with_weights(Module module, const torch::Tensor& weight, const torch::Tensor& bias) {
  module->to(weight.device(), weight.scalar_type());
  module->weight.copy_(weight.reshape(module->weight.sizes()));
  if (bias.defined()) {
    module->bias.copy_(bias);
  }
  return electronic(torch::nn::AnyModule(module));
}

/// Groups of a component of patches; empty if one of them has no electronic form, or if they differ in shape.
std::vector<RealMap> groups_of(const Layer& component) {
  if (const auto map = real_map(component)) {
    return {*map};
  }
  const auto* const blocks = dynamic_cast<const BlockDiagonalImpl*>(&component);
  std::vector<RealMap> groups;
  for (const auto& block : blocks == nullptr ? std::vector<DiagonalBlock>() : blocks->blocks()) {
    const auto map = block.sample.size() == 1 ? real_map(*block.layer) : std::nullopt;
    if (!map || (!groups.empty() && (map->weight.sizes() != groups.front().weight.sizes() ||
                                     map->bias.defined() != groups.front().bias.defined()))) {
      return {};
    }
    groups.push_back(*map);
  }
  return groups;
}

LayerPointer electronic_convolution(const ConvolutionImpl& layer) {
  const auto groups = groups_of(*layer.options.component());
  const int64_t kernel = c10::multiply_integers(*layer.options.kernel_size());
  if (groups.empty() || groups.front().weight.size(1) % kernel != 0) {
    return nullptr;
  }
  std::vector<torch::Tensor> weights, biases;
  for (const auto& group : groups) {
    weights.push_back(group.weight);
    if (group.bias.defined()) {
      biases.push_back(group.bias);
    }
  }
  const auto count = static_cast<int64_t>(groups.size());
  const auto weight = at::cat(weights);
  torch::nn::Conv2d module(
      torch::nn::Conv2dOptions(count * (weight.size(1) / kernel), weight.size(0), layer.options.kernel_size())
          .stride(layer.options.stride())
          .padding(layer.options.padding())
          .dilation(layer.options.dilation())
          .groups(count)
          .bias(!biases.empty()));
  return with_weights(module, weight, biases.empty() ? torch::Tensor() : at::cat(biases));
}

/// Null for a layer of light.
LayerPointer electronic_form(const Layer& layer) {
  if (const auto map = real_map(layer)) {
    return with_weights(
        torch::nn::Linear(
            torch::nn::LinearOptions(map->weight.size(1), map->weight.size(0)).bias(map->bias.defined())),
        map->weight, map->bias);
  }
  if (const auto* const convolution = dynamic_cast<const ConvolutionImpl*>(&layer)) {
    return electronic_convolution(*convolution);
  }
  const bool is_electronic = dynamic_cast<const ElectronicBlock*>(&layer) != nullptr;
  return is_electronic ? std::dynamic_pointer_cast<Layer>(layer.clone()) : nullptr;
}

Hybrid electronic_network(const HybridImpl& network, const std::string& prefix) {
  Hybrid result;
  for (const auto& part : network.parts()) {
    if (const auto* const hybrid = dynamic_cast<const HybridImpl*>(part.container.get())) {
      result->push_back(part.name, electronic_network(*hybrid, prefix + part.name + "."));
      continue;
    }
    const auto layer = part.layer ? electronic_form(*part.layer) : nullptr;
    OPTOTORCH_CHECK(layer, .where = "to_electronic", .argument = prefix + part.name,
                    .expected = "a map of real values, or an electronic module",
                    .got = part.layer ? part.layer->name() : part.container->name(),
                    .remedy = "export_torchscript writes any network for machines without optics");
    result->push_back(part.name, layer);
  }
  result->train(network.is_training());
  return result;
}

template <typename Network>
Hybrid convert(const Network& network, const ToOpticalOptions& options) {
  const torch::NoGradGuard no_grad;
  Conversion conversion(options);
  auto result = conversion.of(network);
  conversion.expect_all_found();
  return result;
}

}  // namespace

Hybrid to_optical(const torch::nn::SequentialImpl& network, const ToOpticalOptions& options) {
  return convert(network, options);
}

Hybrid to_optical(const HybridImpl& network, const ToOpticalOptions& options) {
  return convert(network, options);
}

Hybrid to_electronic(const HybridImpl& network) {
  const torch::NoGradGuard no_grad;
  return electronic_network(network, "");
}

}  // namespace optotorch
