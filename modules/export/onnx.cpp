#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/detail/eval_mode.h>
#include <optotorch/modules/export/detail/onnx_walk.h>
#include <optotorch/modules/export/detail/traced_sizes.h>
#include <optotorch/modules/export/onnx.h>

#include <fstream>

namespace optotorch {
namespace onnx {
namespace {

constexpr char input_name[] = "input", output_name[] = "output";

/// Before traces copy them.
void check_size_of_tensors(HybridImpl& model) {
  uint64_t bytes = 0;
  for (size_t index = 0; index < model.size(); ++index) {
    for (const auto& [name, tensor] : model.layer(index).deploy().tensors) {
      bytes += static_cast<uint64_t>(tensor.numel()) * tensor.element_size();
    }
  }
  check_size(bytes);
}

/// Input or output of the model; complex numbers are pairs there.
Port port(const char* name, const Traced& traced) {
  auto sizes = sizes_of(traced);
  const auto type = traced.small.toTensor().scalar_type();
  if (c10::isComplexType(type)) {
    sizes.push_back(2);
  }
  return {name, c10::toRealValueType(type), sizes};
}

/// The input for batches of two sizes, as the first layer finds it.
Traced first_input(Graph& graph, const torch::Tensor& example) {
  constexpr int64_t small_batch = 2, large_batch = 3;
  Traced input{.small = resized(example, 0, small_batch), .large = resized(example, 0, large_batch)};
  input.value = Value{.real = input_name};
  if (example.is_complex()) {
    const auto part = [&](int64_t index) {
      return graph.add("Gather", {input_name, graph.constant(at::scalar_tensor(index, at::kLong))},
                       {{"axis", example.dim()}});
    };
    input.value = Value{.form = Value::Form::complex, .real = part(0), .imag = part(1)};
  }
  return input;
}

/// The trace must compute what the layer does, for batches of either size.
void check_trace(const TracedLayer& layer, const Traced& input, const Traced& output) {
  for (const auto& [x, y] : {std::pair(input.small, output.small), std::pair(input.large, output.large)}) {
    const auto expected = layer.untraced(x.toTensor());
    const double difference = relative_difference(expected, y.toTensor());
    OPTOTORCH_CHECK(difference <= allowed_difference(expected), .where = in_export,
                    .argument = layer.name() + " with " + std::to_string(x.toTensor().size(0)) + " samples",
                    .expected = c10::str(describe(expected), ", as the layer gives it"),
                    .got = c10::str(describe(y.toTensor()), ", a relative difference of ", difference),
                    .remedy = "Is it random in eval mode, or a function of one batch size only?");
  }
}

/// One real tensor, with pairs of what is complex.
std::string result_of(Graph& graph, const TracedLayer& layer, Traced output) {
  if (output.value && output.value->form == Value::Form::complex) {
    output.value->form = Value::Form::pair;
  }
  Call call(graph, layer.name(), "output", {output}, {output});
  return call.real(0);
}

/// All layers one after another.
void write_model(HybridImpl& model, const torch::Tensor& example, const std::string& path) {
  Graph graph;
  graph.enter("input");
  Traced x = first_input(graph, example);
  const auto input = port(input_name, x);
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  std::string result, description;
  for (size_t index = 0; index < model.size(); ++index) {
    const auto name = "layer" + std::to_string(index);
    graph.enter(name);
    TracedLayer layer(model.layer(index), index, x.small.toTensor(), {}, unit);
    auto output = Walk(graph, layer, name).run(x);
    check_trace(layer, x, output);
    description += layer.name() + "\n";
    result = result_of(graph, layer, output);
    x = std::move(output);
  }
  const auto output = port(output_name, x);
  write_atomically(path, [&](const std::string& temporary) {
    std::ofstream file;
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file.open(temporary, std::ios::binary);
    graph.write(file, description, input, result, output);
    file.close();
  });
}

}  // namespace
}  // namespace onnx

void export_onnx(HybridImpl& model, const torch::Tensor& example, const std::string& path) {
  // Traces are made of ordinary tensors.
  const c10::InferenceMode ordinary(false);
  const torch::NoGradGuard no_grad;
  const EvalMode eval(model);
  OPTOTORCH_CHECK(example.defined() && example.dim() >= 1 && example.size(0) >= 1, .where = onnx::in_export,
                  .argument = "example", .expected = "[batch, ...], at least one sample",
                  .got = describe(example), .remedy = "Take a batch of the network's data");
  OPTOTORCH_CHECK(model.size() >= 1, .where = onnx::in_export, .argument = "model",
                  .expected = "at least one layer", .got = "none");
  onnx::check_size_of_tensors(model);
  const auto input = example.detach().clone();
  model.forward(input);  // checks that the network accepts the example
  onnx::write_model(model, input, path);
}

}  // namespace optotorch
