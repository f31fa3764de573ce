// Layers as operators, for whoever has no C++: a layer is a description (describe.h) with its tensors beside it.
//
//     layer_types() -> str
//         The types that may be described, a JSON list: name, whether it is a layer or a module of
//         LibTorch's, its options in their order (name, kind, words, default; the first have none).
//     layer_state(str layer) -> (str, str[], str[], Tensor[])
//         The description with all its options, names of parameters and of buffers, and their initial
//         values, parameters first, drawn by LibTorch's generator as in C++.
//     layer(Tensor input, Tensor[] state, *, str layer, bool training, bool gradient) -> (Tensor, Tensor[])
//         The output, and the counters behind it: buffers of whole numbers, in their order. In eval mode it
//         is what the layer deploys, unless a gradient is wanted, which is seen from the tensors, too.
//     layer_backward(Tensor dL_doutput, Tensor input, Tensor output, Tensor[] state, *, str layer,
//                    bool training, bool to_input) -> (Tensor, Tensor[])
//         dL_dinput (empty unless to_input) and the gradients of the parameters, by the layer's pull-back at
//         the state that the forward pass began with.
//     layer_weight(Tensor[] state, *, str layer) -> Tensor
//     layer_set_weight(Tensor weight, Tensor[] state, *, str layer) -> Tensor[]
//         The matrix of a layer that has `weight()`, and the state with which it is another.
//     build_network(str network, str[] sizes, int[] values) -> (str, str[], Tensor[])
//         Description and initial weights by name of a network that may leave options out and name sizes.
//     read_network(str path) -> (str, str[], Tensor[])
//     write_network(str path, str network, str[] names, Tensor[] tensors) -> ()
//         A network file (network_file.h): its description, and its weights by name.
//
// Nothing is kept between calls but layers without values, for their descriptions.

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/gradient_sink.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/network_file.h>
#include <optotorch/modules/weights.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace optotorch {
namespace {

using json = nlohmann::json;
using ordered_json = nlohmann::ordered_json;

// --- layer_types

/// Writes what a type's options are.
class SignatureWriter : public FieldVisitor {
 public:
  SignatureWriter(ordered_json& fields, size_t required) : fields_(fields), required_(required) {}

 protected:
  void value(const char* name, bool& field) override { write(name, "bool", field); }
  void value(const char* name, int64_t& field) override { write(name, "int", field); }
  void value(const char* name, double& field) override { write(name, "float", field); }
  void value(const char* name, std::string& field) override { write(name, "str", field); }
  void value(const char* name, std::vector<int64_t>& field) override { write(name, "ints", field); }
  void value(const char* name, std::vector<double>& field) override { write(name, "floats", field); }
  void value(const char* name, std::vector<std::string>& field) override { write(name, "strs", field); }
  void value(const char* name, std::shared_ptr<Layer>& /*field*/) override { write(name, "layer", nullptr); }
  void word(const char* name, const std::vector<std::string>& words, size_t& index) override {
    write(name, "word", words.at(index))["words"] = words;
  }
  void object(const char* name, const std::function<void(FieldVisitor&)>& fields) override {
    auto inner = ordered_json::array();
    SignatureWriter writer(inner, 0);
    fields(writer);
    write(name, "object", ordered_json::object())["fields"] = inner;
  }
  void structs(const char* name, size_t /*count*/, const std::function<void(size_t)>& /*resize*/,
               const std::function<void(size_t, FieldVisitor&)>& /*element*/) override {
    write(name, "objects", ordered_json::array());
  }

 private:
  template <typename Value>
  ordered_json& write(const char* name, const char* kind, const Value& usual) {
    ordered_json field{{"name", name}, {"kind", kind}};
    if (fields_.size() >= required_) {
      field["default"] = usual;
    }
    fields_.push_back(std::move(field));
    return fields_.back();
  }

  ordered_json& fields_;
  size_t required_;
};

std::string layer_types() {
  std::map<std::string, ordered_json> types;  // in one order, however the library was linked
  for (const auto& part : known_parts()) {
    auto fields = ordered_json::array();
    if (part.usual) {
      SignatureWriter writer(fields, part.required);
      part.usual(writer);
    }
    types[part.name] = {{"name", part.name}, {"layer", part.is_layer}, {"fields", fields}};
  }
  auto list = ordered_json::array();
  for (auto& [name, type] : types) {
    list.push_back(std::move(type));
  }
  return list.dump();
}

// --- A layer that waits for values

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

/// The module that has a layer's tensors under its own names.
torch::nn::Module& tensors_of(Layer& layer) {
  auto* const block = dynamic_cast<ElectronicBlock*>(&layer);
  return block != nullptr ? *block->module() : static_cast<torch::nn::Module&>(layer);
}

/// Dispatch as layers expect it, inside an operator. Below autograd LibTorch switches autograd off, which electronic
/// modules need on their way back; in the first call of a compiled function it switches conjugation off, too, so that
/// conj() would be nothing.
class OrdinaryDispatch {
 public:
  explicit OrdinaryDispatch(bool with_autograd) : guard_(keys(with_autograd)) {}

 private:
  static c10::impl::LocalDispatchKeySet keys(bool with_autograd) {
    auto keys = c10::impl::tls_local_dispatch_key_set();
    keys.excluded_ =
        keys.excluded_ - c10::DispatchKeySet({c10::DispatchKey::Conjugate, c10::DispatchKey::Negative,
                                              c10::DispatchKey::ZeroTensor});
    if (with_autograd) {
      keys.excluded_ = keys.excluded_ - c10::autograd_dispatch_keyset_with_ADInplaceOrView;
    }
    return keys;
  }
  c10::impl::ForceDispatchKeyGuard guard_;
};

bool counts(const torch::Tensor& buffer) {
  return !buffer.is_floating_point() && !buffer.is_complex();
}

/// A layer for its description; between calls it holds no values.
class Vessel {
 public:
  explicit Vessel(const std::string& description)
      : layer_(layer_of(description)),
        parameters_(tensors_of(*layer_).parameters()),
        buffers_(tensors_of(*layer_).buffers()) {
    for (const auto& tensors : {parameters_, buffers_}) {
      for (const auto& tensor : tensors) {
        shapes_.push_back(tensor.sizes().vec());
      }
    }
    empty();
  }

  /// The layer with the values of `state`, until `empty`.
  Layer& filled(at::TensorList state, bool training) {
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

  void empty() {
    for (auto* tensors : {&parameters_, &buffers_}) {
      for (auto& tensor : *tensors) {
        tensor.set_data(nothing_.to(tensor.options()));
      }
    }
  }

  const std::vector<torch::Tensor>& parameters() const { return parameters_; }
  std::vector<torch::Tensor> counters() const {
    std::vector<torch::Tensor> all;
    for (const auto& buffer : buffers_) {
      if (counts(buffer)) {
        all.push_back(buffer.clone());
      }
    }
    return all;
  }

  /// True if the pull-back needs nothing but input and output of a pass.
  bool keeps_nothing(const torch::Tensor& input) {
    if (input.dim() == 0 || input.size(0) == 0) {
      return false;
    }
    if (!keeps_nothing_) {
      const auto pass = layer_->propagate(input.narrow(0, 0, 1));
      keeps_nothing_ = pass.saved.empty() && pass.inside.empty();
    }
    return *keeps_nothing_;
  }

 private:
  std::shared_ptr<Layer> layer_;
  std::vector<torch::Tensor> parameters_, buffers_;
  torch::Tensor nothing_ = at::empty({0});
  std::vector<std::vector<int64_t>> shapes_;
  std::optional<bool> keeps_nothing_;
};

/// That of this thread: no two calls share one.
Vessel& vessel_of(const std::string& description) {
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

/// Empties a vessel whatever happens.
struct Emptied {
  Vessel& vessel;
  explicit Emptied(Vessel& vessel) : vessel(vessel) {}
  ~Emptied() { vessel.empty(); }
  Emptied(const Emptied&) = delete;
  Emptied& operator=(const Emptied&) = delete;
};

// --- The operators

std::tuple<std::string, std::vector<std::string>, std::vector<std::string>, std::vector<torch::Tensor>>
layer_state(const std::string& description) {
  const torch::NoGradGuard no_grad;
  const auto layer = layer_of(description);
  std::tuple<std::string, std::vector<std::string>, std::vector<std::string>, std::vector<torch::Tensor>> all;
  auto& [whole, parameters, buffers, values] = all;
  whole = describe_part(*layer, "layer").dump();
  const auto& module = tensors_of(*layer);
  for (const auto& item : module.named_parameters()) {
    parameters.push_back(item.key());
    values.push_back(item.value().detach());
  }
  for (const auto& item : module.named_buffers()) {
    buffers.push_back(item.key());
    values.push_back(item.value().detach());
  }
  return all;
}

std::tuple<torch::Tensor, std::vector<torch::Tensor>> layer_forward(const torch::Tensor& input,
                                                                    at::TensorList state,
                                                                    std::string_view description,
                                                                    bool training, bool gradient) {
  const torch::NoGradGuard no_grad;
  const OrdinaryDispatch ordinary(/*with_autograd=*/false);
  auto& vessel = vessel_of(std::string(description));
  const Emptied emptied(vessel);
  auto& layer = vessel.filled(state, training);
  auto output = gradient ? layer.propagate(input).output : layer.forward(input);
  // An operator's output has memory of its own, and what it deployed lives on in the layer.
  if (output.is_alias_of(input) || output.use_count() > 1) {
    output = output.clone();
  }
  return {output, vessel.counters()};
}

std::tuple<torch::Tensor, std::vector<torch::Tensor>> layer_backward(
    const torch::Tensor& dL_doutput, const torch::Tensor& input, const torch::Tensor& output,
    at::TensorList state, std::string_view description, bool training, bool to_input) {
  const torch::NoGradGuard no_grad;
  const OrdinaryDispatch ordinary(/*with_autograd=*/true);
  auto& vessel = vessel_of(std::string(description));
  const Emptied emptied(vessel);
  auto& layer = vessel.filled(state, training);
  const bool by_ends = vessel.keeps_nothing(input);
  if (!by_ends) {
    vessel.filled(state, training);  // counters as they were before the layer was tried
  }
  OPTOTORCH_CHECK(!by_ends || (output.dim() > 0 && output.size(0) == input.size(0)), .where = layer.name(),
                  .argument = "output", .expected = "that of " + describe(input), .got = describe(output));
  const auto pass = by_ends ? Pass{input, output} : layer.propagate(input);
  const GradientSink sink;
  auto dL_dinput = layer.pullback(pass, dL_doutput, to_input);
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : vessel.parameters()) {
    auto gradient = sink.of(parameter);
    gradients.push_back(gradient.defined() ? gradient : at::zeros_like(parameter));
  }
  if (!to_input || !dL_dinput.defined()) {
    dL_dinput = at::empty({0}, input.options());
  } else if (dL_dinput.is_alias_of(dL_doutput) || dL_dinput.is_alias_of(input)) {
    dL_dinput = dL_dinput.clone();
  }
  return {dL_dinput, gradients};
}

/// What is known of the type of a layer that has `weight()`.
const PartType& weighted_part(const Layer& layer) {
  for (const auto& part : known_parts()) {
    if (part.type == typeid(layer) && part.weight && part.set_weight) {
      return part;
    }
  }
  reject({.where = layer.name(),
          .argument = "weight",
          .expected = "a layer that is given weights, as MziLinear or WeightBank",
          .got = layer.name()});
}

torch::Tensor layer_weight(at::TensorList state, std::string_view description) {
  const torch::NoGradGuard no_grad;
  const OrdinaryDispatch ordinary(/*with_autograd=*/false);
  auto& vessel = vessel_of(std::string(description));
  const Emptied emptied(vessel);
  const auto& layer = vessel.filled(state, /*training=*/true);
  return weighted_part(layer).weight(layer).clone();
}

std::vector<torch::Tensor> layer_set_weight(const torch::Tensor& weight, at::TensorList state,
                                            std::string_view description) {
  const torch::NoGradGuard no_grad;
  const OrdinaryDispatch ordinary(/*with_autograd=*/false);
  auto& vessel = vessel_of(std::string(description));
  const Emptied emptied(vessel);
  std::vector<torch::Tensor> copies;
  for (const auto& tensor : state) {
    copies.push_back(tensor.detach().clone());
  }
  auto& layer = vessel.filled(copies, /*training=*/true);
  weighted_part(layer).set_weight(layer, weight.detach());
  std::vector<torch::Tensor> all;
  for (const auto& tensors : {layer.parameters(), layer.buffers()}) {
    for (const auto& tensor : tensors) {
      all.push_back(tensor.detach().clone());
    }
  }
  return all;
}

using Network = std::tuple<std::string, std::vector<std::string>, std::vector<torch::Tensor>>;

Network as_tuple(const HybridImpl& network) {
  Network all;
  auto& [description, names, tensors] = all;
  description = describe(network);
  for (const auto& [name, tensor] : weights_of(network)) {
    names.push_back(name);
    tensors.push_back(tensor);
  }
  return all;
}

Network build_network(const std::string& text, const std::vector<std::string>& names,
                      const std::vector<int64_t>& values) {
  OPTOTORCH_CHECK(names.size() == values.size(), .where = "build_network", .argument = "sizes",
                  .expected = std::to_string(names.size()), .got = std::to_string(values.size()));
  Sizes sizes;
  for (size_t i = 0; i < names.size(); ++i) {
    sizes[names[i]] = values[i];
  }
  return as_tuple(*build(text, sizes));
}

Network read_network(const std::string& path) {
  return as_tuple(*load_network(path));
}

void write_network(const std::string& path, const std::string& description,
                   const std::vector<std::string>& names, const std::vector<torch::Tensor>& tensors) {
  OPTOTORCH_CHECK(names.size() == tensors.size(), .where = "write_network", .argument = "tensors",
                  .expected = std::to_string(names.size()), .got = std::to_string(tensors.size()));
  auto network = build(description);
  std::map<std::string, torch::Tensor> weights;
  for (size_t i = 0; i < names.size(); ++i) {
    weights[names[i]] = tensors[i].detach();
    if (tensors[i].scalar_type() == torch::kFloat64) {
      network->to(torch::kFloat64);
    }
  }
  load_weights(*network, weights);
  save_network(*network, path);
}

// --- Its place in a graph

using ForwardSignature = std::tuple<torch::Tensor, std::vector<torch::Tensor>>(const torch::Tensor& input,
                                                                               at::TensorList state,
                                                                               std::string_view description,
                                                                               bool training, bool gradient);
using BackwardSignature = std::tuple<torch::Tensor, std::vector<torch::Tensor>>(
    const torch::Tensor& dL_doutput, const torch::Tensor& input, const torch::Tensor& output,
    at::TensorList state, std::string_view description, bool training, bool to_input);

template <typename Signature>
c10::TypedOperatorHandle<Signature> operator_named(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

class LayerNode : public torch::autograd::Function<LayerNode> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const torch::Tensor& input, at::TensorList state,
                                                const std::string& description, bool training) {
    static const auto op = operator_named<ForwardSignature>("optotorch::layer");
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [output, counters] = op.call(input, state, description, training, /*gradient=*/true);
    torch::autograd::variable_list saved{input, output};
    saved.insert(saved.end(), state.begin(), state.end());
    context->save_for_backward(saved);
    context->saved_data["layer"] = description;
    context->saved_data["training"] = training;
    torch::autograd::variable_list outputs{output};
    outputs.insert(outputs.end(), counters.begin(), counters.end());
    context->mark_non_differentiable(counters);
    return outputs;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& dL_doutputs) {
    static const auto op = operator_named<BackwardSignature>("optotorch::layer_backward");
    const auto saved = context->get_saved_variables();
    const auto& description = context->saved_data["layer"].toStringRef();
    OPTOTORCH_CHECK(!torch::GradMode::is_enabled(), .where = "layer", .argument = "create_graph",
                    .expected = "false: a pull-back is differentiable once", .got = "true");
    const bool to_input = context->needs_input_grad(0);
    auto [dL_dinput, gradients] = op.call(dL_doutputs[0], saved[0], saved[1], at::TensorList(saved).slice(2),
                                          description, context->saved_data["training"].toBool(), to_input);
    torch::autograd::variable_list all{to_input ? dL_dinput : torch::Tensor()};
    all.insert(all.end(), gradients.begin(), gradients.end());
    all.resize(saved.size() - 1);  // none for buffers
    all.resize(all.size() + 2);    // nor for description and mode
    return all;
  }
};

std::tuple<torch::Tensor, std::vector<torch::Tensor>> layer_autograd(const torch::Tensor& input,
                                                                     at::TensorList state,
                                                                     std::string_view description,
                                                                     bool training, bool gradient) {
  static const auto op = operator_named<ForwardSignature>("optotorch::layer");
  const auto learns = [](const torch::Tensor& tensor) { return tensor.requires_grad(); };
  if (!torch::GradMode::is_enabled() ||
      (!learns(input) && std::none_of(state.begin(), state.end(), learns))) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return op.call(input, state, description, training, gradient);
  }
  auto outputs = LayerNode::apply(input, state, std::string(description), training);
  return {outputs.front(), {outputs.begin() + 1, outputs.end()}};
}

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("layer_types() -> str", layer_types);
  library.def("layer_state(str layer) -> (str, str[], str[], Tensor[])", layer_state);
  library.def(
      "layer(Tensor input, Tensor[] state, *, str layer, bool training=True, bool gradient=False) -> "
      "(Tensor, Tensor[])");
  library.def(
      "layer_backward(Tensor dL_doutput, Tensor input, Tensor output, Tensor[] state, *, str layer, "
      "bool training=True, bool to_input=True) -> (Tensor, Tensor[])");
  library.def("layer_weight(Tensor[] state, *, str layer) -> Tensor");
  library.def("layer_set_weight(Tensor weight, Tensor[] state, *, str layer) -> Tensor[]");
  library.def("build_network(str network, str[] sizes, int[] values) -> (str, str[], Tensor[])",
              build_network);
  library.def("read_network(str path) -> (str, str[], Tensor[])", read_network);
  library.def("write_network(str path, str network, str[] names, Tensor[] tensors) -> ()", write_network);
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("layer", TORCH_FN(layer_forward));
  library.impl("layer_backward", TORCH_FN(layer_backward));
  library.impl("layer_weight", TORCH_FN(layer_weight));
  library.impl("layer_set_weight", TORCH_FN(layer_set_weight));
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("layer", TORCH_FN(layer_autograd));
}

}  // namespace
}  // namespace optotorch
