#pragma once

// A network as a value: its architecture as JSON, and back.

#include <optotorch/modules/fields.h>
#include <optotorch/modules/hybrid.h>

#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

namespace optotorch {

/// The architecture of a network: type and options of every layer, networks within each other, no weights.
///
///     {"format": "optotorch-network-1",
///      "layers": [{"type": "FourierLens", "window": 10}, {"type": "MziMesh", "ports": 100, ...}, ...]}
///
/// Throws c10::ValueError, naming the layer, for one whose type is not registered: a torch::nn::Functional, a
/// PhysicalNetwork, a module of one's own.
std::string describe(const HybridImpl& network);

/// Whole numbers by name, as a description may give them: {"classes", 10}.
using Sizes = std::map<std::string, int64_t>;

/// The network that `text` describes, with initial weights of its own, drawn by LibTorch's generator in the
/// order of the layers. Options that are left out have their defaults; a whole number may be the name of one
/// of `sizes`, or a product such as "9*channels" or "32*height/4*width/4", where a division
/// is of the factor before it, rounded down. A `description` for people, and what `training` says to the program, are
/// not looked at. A module with a `weight` may say how it begins, "initial": "zero", "glorot" (uniform), "he" (uniform)
/// or "normal" (deviation 1 / sqrt(inputs)), with biases of zero.
///
/// Throws c10::ValueError, which names the place, layers[2].encoding, for what is no description, and for
/// types, options and words that are not known, with the nearest.
Hybrid build(const std::string& text, const Sizes& sizes = {});

/// The options of a layer or module whose type is registered, a JSON object with its names in alphabetical
/// order. Throws c10::ValueError for any other.
std::string describe_options(const torch::nn::Module& module);

/// "optotorch::MziMesh(ports=8, ...)": type and options, of a layer or module whose type is registered; the
/// module's name alone for any other.
void print_part(const torch::nn::Module& module, std::ostream& stream);

/// A type of layer or module that networks may be described of.
struct PartType {
  std::string name;      ///< "MziMesh"
  std::type_index type;  ///< of the module
  size_t required = 0;   ///< its first options, which have no default
  /// Shows `visit` the options of a module of this type.
  std::function<void(const torch::nn::Module& module, FieldVisitor& visit)> look;
  /// Makes a new module, whose options `visit` may set.
  std::function<torch::nn::AnyModule(FieldVisitor& visit)> make;
  /// Weights W [outputs, inputs] of a layer that has no parameter `weight`.
  std::function<torch::Tensor(const torch::nn::Module& module)> weight = {};
  /// Sets those weights.
  std::function<void(torch::nn::Module& module, const torch::Tensor& weight)> set_weight = {};
  /// Looks at its options as they are unless somebody says otherwise.
  std::function<void(FieldVisitor& visit)> usual = {};
  bool is_layer = false;  ///< else a module that rules meet as an ElectronicBlock
};

/// The type of a layer or module `Impl` that is made from `Impl::options`, which has `fields` (fields.h).
/// `usual`: options with their defaults; the first `required` of them have none, and any value there.
template <typename Impl, typename Options>
PartType part_type(const std::string& name, const Options& usual, size_t required = 0) {
  PartType type{name, typeid(Impl), required,
                [](const torch::nn::Module& module, FieldVisitor& visit) {
                  auto options = dynamic_cast<const Impl&>(module).options;
                  options.fields(visit);
                },
                [usual](FieldVisitor& visit) {
                  auto options = usual;
                  options.fields(visit);
                  return torch::nn::AnyModule(std::make_shared<Impl>(options));
                }};
  type.usual = [usual](FieldVisitor& visit) {
    auto options = usual;
    options.fields(visit);
  };
  type.is_layer = std::is_base_of_v<Layer, Impl>;
  if constexpr (requires(Impl & impl, torch::Tensor w) { impl.set_weight(w), w = impl.weight(); }) {
    type.weight = [](const torch::nn::Module& module) { return dynamic_cast<const Impl&>(module).weight(); };
    type.set_weight = [](torch::nn::Module& module, const torch::Tensor& weight) {
      dynamic_cast<Impl&>(module).set_weight(weight);
    };
  }
  return type;
}

/// The same for a module without options.
template <typename Impl>
PartType part_type(const std::string& name) {
  PartType type{name, typeid(Impl), 0, [](const torch::nn::Module& module, FieldVisitor& visit) {},
                [](FieldVisitor& visit) { return torch::nn::AnyModule(std::make_shared<Impl>()); }};
  type.is_layer = std::is_base_of_v<Layer, Impl>;
  return type;
}

/// The types that are known, in the order of their registration.
const std::vector<PartType>& known_parts();

/// Makes a type known, in a line:
///
///     register_part(part_type<MyLayerImpl>("MyLayer", MyLayerOptions(1), /*required=*/1));
///
/// Throws c10::ValueError if its name or type is known already. Not while other threads describe or build.
void register_part(PartType type);

/// The same before `main`, by a constant in the source file of the layer.
struct RegisteredPart {
  /// Registers the type; throws as register_part does.
  explicit RegisteredPart(PartType type) { register_part(std::move(type)); }
};

}  // namespace optotorch
