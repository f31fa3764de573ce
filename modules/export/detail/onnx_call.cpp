#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/export/detail/onnx_call.h>

#include <algorithm>

namespace optotorch::onnx {
namespace {

Value stored(Graph& graph, const Traced& traced) {
  const auto tensor = traced.small.toTensor().resolve_conj();
  if (!tensor.is_complex()) {
    return {.real = traced.name.empty() ? graph.constant(tensor)
                                        : graph.store(traced.name, [&] { return tensor; })};
  }
  const auto part = [&](const char* name, const at::Tensor& values) {
    return traced.name.empty() ? graph.constant(values.contiguous())
                               : graph.store(traced.name + name, [&] { return values; });
  };
  const auto real = part(".real", at::real(tensor));
  return {.form = Value::Form::complex, .real = real, .imag = part(".imag", at::imag(tensor))};
}

}  // namespace

std::vector<int64_t> sizes_of(const Traced& traced) {
  auto sizes = traced.small.toTensor().sizes().vec();
  const auto large = traced.large.toTensor().sizes();
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    if (sizes[dim] != large[dim]) {
      sizes[dim] = -1;
    }
  }
  return sizes;
}

int64_t Call::dim(size_t i, int64_t dimension) const {
  return dimension < 0 ? dimension + rank(i) : dimension;
}

at::ScalarType Call::output_type() const {
  return c10::toRealValueType(output().small.toTensor().scalar_type());
}

void Call::refuse(const std::string& expected, const std::string& got) const {
  reject({.where = in_export,
          .argument = layer_ + ": aten::" + name_,
          .expected = expected,
          .got = got,
          .remedy = "Export the network as TorchScript"});
}

Value Call::value(const Traced& traced) {
  return traced.value ? *traced.value : stored(graph, traced);
}

Value Call::tensor(const Traced& traced) {
  auto value = this->value(traced);
  const auto type = c10::toRealValueType(traced.small.toTensor().scalar_type());
  if (value.fill) {
    return {.real = filled(*value.fill, value.like, type)};
  }
  if (value.form == Value::Form::pair) {
    const auto last = graph.numbers({-1});
    if (value.imag.empty()) {
      value.imag = filled(0, value.real, type);
    }
    return {.real = graph.add(
                "Concat",
                {graph.add("Unsqueeze", {value.real, last}), graph.add("Unsqueeze", {value.imag, last})},
                {{"axis", int64_t{-1}}})};
  }
  return value;
}

std::string Call::real(const Value& value) {
  if (value.form != Value::Form::real) {
    refuse("real numbers", "complex ones");
  }
  return value.real;
}

Value Call::operand(size_t i, at::ScalarType type) {
  const auto& traced = input(i);
  if (!traced.small.isTensor()) {
    const auto number = traced.small.toScalar();
    if (!number.isComplex()) {
      return {.real = graph.number(number.toDouble(), type)};
    }
    const auto complex = number.toComplexDouble();
    return {.form = Value::Form::complex,
            .real = graph.number(complex.real(), type),
            .imag = graph.number(complex.imag(), type)};
  }
  const auto from = c10::toRealValueType(traced.small.toTensor().scalar_type());
  if (!traced.value && traced.name.empty()) {
    auto converted = traced;
    const auto& tensor = traced.small.toTensor();
    converted.small = tensor.to(tensor.is_complex() ? c10::toComplexType(type) : type);
    return value(converted);
  }
  auto value = this->value(traced);
  if (value.fill) {
    return {.real = graph.number(*value.fill, type), .fill = value.fill, .like = value.like};
  }
  if (value.form == Value::Form::pair) {
    value = tensor(traced);
  }
  return from == type ? value : each_part(value, [&](const auto& part) { return cast(part, type); });
}

std::string Call::filled(double number, const std::string& like, at::ScalarType type) {
  return graph.add("Expand", {graph.number(number, type), graph.add("Shape", {like})});
}

std::string Call::cast(const std::string& tensor, at::ScalarType type) {
  return graph.add("Cast", {tensor}, {{"to", onnx_type(type)}});
}

std::string Call::reshaped(const std::string& tensor, const std::vector<int64_t>& sizes) {
  if (std::count(sizes.begin(), sizes.end(), -1) > 1) {
    refuse("one dimension at most that depends on the batch size", c10::str(sizes));
  }
  return graph.add("Reshape", {tensor, graph.numbers(sizes)});
}

}  // namespace optotorch::onnx
