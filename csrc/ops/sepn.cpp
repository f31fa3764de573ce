#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/sepn.h>
#include <torch/library.h>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("sepn(Tensor x, Tensor parameters, int[3] features) -> Tensor");
  library.def(
      "sepn_backward(Tensor dL_dy, Tensor x, Tensor parameters, int[3] features, bool to_x=True, "
      "bool to_parameters=True) -> (Tensor, Tensor)");
  library.def(
      "sepn_double_backward(Tensor? v_x, Tensor? v_parameters, Tensor dL_dy, Tensor x, Tensor parameters, "
      "int[3] features) -> (Tensor, Tensor, Tensor)");
}

namespace {

constexpr int64_t most_ports = 65536, most_features = 256;

int64_t halved(int64_t side) {
  return (side + 1) / 2;
}

}  // namespace

void SepnLayout::check() const {
  OPTOTORCH_CHECK(ports >= 1 && ports <= most_ports, .where = "sepn", .argument = "ports",
                  .expected = c10::str("1 to ", most_ports), .got = std::to_string(ports));
  for (const int64_t count : features) {
    OPTOTORCH_CHECK(count >= 1 && count <= most_features, .where = "sepn", .argument = "features",
                    .expected = c10::str("three numbers of 1 to ", most_features),
                    .got = c10::str("(", c10::Join(", ", features), ")"),
                    .remedy = "(4, 8, 16) and (4, 6, 8) are the published ones");
  }
}

int64_t SepnLayout::side() const {
  int64_t side = 1;
  while (side * side < ports) {
    ++side;
  }
  return side;
}

std::vector<SepnConvolution> SepnLayout::convolutions() const {
  const auto [f1, f2, f3] = features;
  const int64_t whole = side(), half = halved(whole), quarter = halved(half);
  std::vector<SepnConvolution> result;
  int64_t next = 0;
  const auto add = [&](int64_t in, int64_t out, int64_t in_side, int64_t out_side) {
    const int64_t weights = 9 * in * out;
    result.push_back({in, out, in_side, out_side, out_side > in_side, next, next + weights});
    next += weights + out;
  };
  const auto three = [&](int64_t in, int64_t out, int64_t side) {
    add(in, out, side, side);
    add(out, out, side, side);
    add(out, out, side, side);
  };
  three(1, f1, whole);
  add(1, f1, whole, half);
  three(f1, f2, half);
  add(f1, f2, half, quarter);
  three(f2, f3, quarter);
  add(f3, f2, quarter, half);
  add(2 * f2, f1, half, whole);
  add(2 * f1, 1, whole, whole);
  return result;
}

int64_t SepnLayout::parameters() const {
  const auto last = convolutions().back();
  return last.bias + last.out;
}

void check_sepn(const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout) {
  layout.check();
  OPTOTORCH_CHECK(x.defined() &&
                      (x.scalar_type() == at::kComplexFloat || x.scalar_type() == at::kComplexDouble) &&
                      x.dim() == 2 && x.sym_size(1) == layout.ports,
                  .where = "sepn", .argument = "x",
                  .expected = c10::str("a complex64 or complex128 field [batch, ", layout.ports, "]"),
                  .got = describe(x));
  const auto type = c10::toRealValueType(x.scalar_type());
  OPTOTORCH_CHECK(parameters.defined() && parameters.scalar_type() == type && parameters.dim() == 2 &&
                      parameters.sym_size(0) == layout.parameters() && parameters.sym_size(1) == 2,
                  .where = "sepn", .argument = "parameters",
                  .expected = c10::str(type_name(type), " [", layout.parameters(), ", 2]"),
                  .got = describe(parameters), .remedy = "Both share one precision");
  check_device("sepn", "parameters", parameters, x);
}

SepnLayout sepn_layout(const at::Tensor& x, at::IntArrayRef features) {
  check_field("sepn", "x", x);
  OPTOTORCH_CHECK(x.dim() == 2, .where = "sepn", .argument = "x", .expected = "a field [batch, ports]",
                  .got = describe(x));
  OPTOTORCH_CHECK(features.size() == 3, .where = "sepn", .argument = "features", .expected = "three numbers",
                  .got = c10::str(features.size()),
                  .remedy = "(4, 8, 16) and (4, 6, 8) are the published ones");
  return {x.sym_size(1).guard_int(__FILE__, __LINE__), {features[0], features[1], features[2]}};
}

void check_sepn_backward(const at::Tensor& dL_dy, const at::Tensor& x, const at::Tensor& parameters,
                         const SepnLayout& layout) {
  check_sepn(x, parameters, layout);
  check_like("sepn_backward", "dL_dy", dL_dy, x);
}

void check_sepn_double_backward(const std::optional<at::Tensor>& v_x,
                                const std::optional<at::Tensor>& v_parameters, const at::Tensor& dL_dy,
                                const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout) {
  check_sepn(x, parameters, layout);
  check_like("sepn_double_backward", "dL_dy", dL_dy, x);
  if (v_x) {
    check_like("sepn_double_backward", "v_x", *v_x, x);
  }
  if (v_parameters) {
    check_like("sepn_double_backward", "v_parameters", *v_parameters, parameters);
  }
}

at::Tensor sepn(const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout) {
  check_sepn(x, parameters, layout);
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::sepn", "")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&, at::IntArrayRef)>();
  return op.call(x, parameters, layout.features);
}

std::tuple<at::Tensor, at::Tensor> sepn_backward(const at::Tensor& dL_dy, const at::Tensor& x,
                                                 const at::Tensor& parameters, const SepnLayout& layout,
                                                 bool to_x, bool to_parameters) {
  check_sepn(x, parameters, layout);
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("optotorch::sepn_backward", "")
          .typed<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                                    at::IntArrayRef, bool, bool)>();
  return op.call(dL_dy, x, parameters, layout.features, to_x, to_parameters);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> sepn_double_backward(
    const std::optional<at::Tensor>& v_x, const std::optional<at::Tensor>& v_parameters,
    const at::Tensor& dL_dy, const at::Tensor& x, const at::Tensor& parameters, const SepnLayout& layout) {
  check_sepn_double_backward(v_x, v_parameters, dL_dy, x, parameters, layout);
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::sepn_double_backward", "")
                             .typed<std::tuple<at::Tensor, at::Tensor, at::Tensor>(
                                 const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
                                 const at::Tensor&, const at::Tensor&, const at::Tensor&, at::IntArrayRef)>();
  return op.call(v_x, v_parameters, dL_dy, x, parameters, layout.features);
}

}  // namespace optotorch::ops
