#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;

/// The tensor at this argument, or as many equal numbers.
std::string values_or(Call& call, size_t argument, double number, at::IntArrayRef sizes) {
  return call.given(argument)
             ? call.real(argument)
             : call.graph.constant(at::full(sizes, number, at::TensorOptions(call.output_type())));
}

Values layer_norm(Call& call) {
  const auto shape = call.integers(1);
  std::vector<std::string> inputs{call.real(0), values_or(call, 2, 1, shape)};
  if (call.given(3)) {
    inputs.push_back(call.real(3));
  }
  return {{.real = call.graph.add(
               "LayerNormalization", inputs,
               {{"axis", -static_cast<int64_t>(shape.size())}, {"epsilon", call.real_number(4)}})}};
}

Values batch_norm(Call& call) {
  if (call.flag(5)) {
    call.refuse("statistics that do not change", "those of the batch");
  }
  const auto channels = call.shadow(0).size(1);
  return {{.real = call.graph.add("BatchNormalization",
                                  {call.real(0), values_or(call, 1, 1, channels),
                                   values_or(call, 2, 0, channels), call.real(3), call.real(4)},
                                  {{"epsilon", call.real_number(7)}})}};
}

/// Every group normalised like a channel of its own, then all channels scaled.
Values group_norm(Call& call) {
  auto& graph = call.graph;
  const int64_t groups = call.integer(1), channels = call.shadow(0).size(1);
  const auto grouped = call.reshaped(call.real(0), {-1, groups, call.shadow(0)[0].numel() / groups});
  // In two passes: InstanceNormalization loses digits where a group's values are nearly equal.
  const std::vector<Attribute> each_group{{"axes", std::vector<int64_t>{2}}};
  const auto centred = graph.add("Sub", {grouped, graph.add("ReduceMean", {grouped}, each_group)});
  const auto variance = graph.add("ReduceMean", {graph.add("Mul", {centred, centred})}, each_group);
  const auto shifted = graph.add("Add", {variance, graph.number(call.real_number(4), call.output_type())});
  auto x = call.reshaped(graph.add("Div", {centred, graph.add("Sqrt", {shifted})}));
  std::vector<int64_t> per_channel(static_cast<size_t>(call.rank(0) - 1), 1);
  per_channel.front() = channels;
  if (call.given(2)) {
    x = graph.add("Mul", {x, call.reshaped(call.real(2), per_channel)});
  }
  if (call.given(3)) {
    x = graph.add("Add", {x, call.reshaped(call.real(3), per_channel)});
  }
  return {{.real = x}};
}

}  // namespace

void add_norms(Emitters& all) {
  all.insert({{"layer_norm", layer_norm}, {"batch_norm", batch_norm}, {"group_norm", group_norm}});
}

}  // namespace optotorch::onnx
