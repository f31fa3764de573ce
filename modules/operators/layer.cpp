// Layers as operators, for whoever has no C++: a layer is a description (describe.h) with its tensors beside it.
//
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
//
// Between calls a thread keeps layers for their descriptions, without values but for what eval mode has deployed.

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/gradient_sink.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/modules/operators/detail/vessel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace optotorch {
namespace {

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
  auto& vessel = Vessel::of(std::string(description));
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
  auto& vessel = Vessel::of(std::string(description));
  const Emptied emptied(vessel);
  auto& layer = vessel.filled(state, training);
  const bool by_ends = vessel.keeps_nothing(input);
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
  auto& vessel = Vessel::of(std::string(description));
  const Emptied emptied(vessel);
  const auto& layer = vessel.filled(state, /*training=*/true);
  return weighted_part(layer).weight(layer).clone();
}

std::vector<torch::Tensor> layer_set_weight(const torch::Tensor& weight, at::TensorList state,
                                            std::string_view description) {
  const torch::NoGradGuard no_grad;
  const OrdinaryDispatch ordinary(/*with_autograd=*/false);
  auto& vessel = Vessel::of(std::string(description));
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
  library.def("layer_state(str layer) -> (str, str[], str[], Tensor[])", layer_state);
  library.def(
      "layer(Tensor input, Tensor[] state, *, str layer, bool training=True, bool gradient=False) -> "
      "(Tensor, Tensor[])");
  library.def(
      "layer_backward(Tensor dL_doutput, Tensor input, Tensor output, Tensor[] state, *, str layer, "
      "bool training=True, bool to_input=True) -> (Tensor, Tensor[])");
  library.def("layer_weight(Tensor[] state, *, str layer) -> Tensor");
  library.def("layer_set_weight(Tensor weight, Tensor[] state, *, str layer) -> Tensor[]");
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
