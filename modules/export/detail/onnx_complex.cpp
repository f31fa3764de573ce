#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;
using Form = Value::Form;

Values complex(Call& call) {
  const auto imag = call.value(1);
  return {{.form = Form::complex, .real = call.real(0), .imag = imag.fill == 0.0 ? "" : call.real(1)}};
}

Values view_as_real(Call& call) {
  auto x = call.tensor(0);
  x.form = Form::pair;
  return {x};
}

Values view_as_complex(Call& call) {
  auto x = call.value(0);
  if (x.form != Form::pair) {
    const auto both = call.real(0);
    const auto part = [&](int64_t index) {
      return call.graph.add("Gather", {both, call.graph.constant(at::scalar_tensor(index, at::kLong))},
                            {{"axis", call.rank(0) - 1}});
    };
    x = {.real = part(0), .imag = part(1)};
  }
  x.form = Form::complex;
  return {x};
}

Values real_part(Call& call) {
  return {{.real = call.tensor(0).real}};
}

Values imaginary_part(Call& call) {
  const auto x = call.tensor(0);
  return {x.imag.empty() ? Value{.fill = 0, .like = x.real} : Value{.real = x.imag}};
}

Values conjugate(Call& call) {
  auto x = call.tensor(0);
  if (!x.imag.empty()) {
    x.imag = call.graph.add("Neg", {x.imag});
  }
  return {x};
}

Values magnitude(Call& call) {
  const auto x = call.tensor(0);
  if (x.imag.empty()) {
    return {{.real = call.graph.add("Abs", {x.real})}};
  }
  const auto squared = [&](const std::string& part) { return call.graph.add("Mul", {part, part}); };
  return {{.real = call.graph.add("Sqrt", {plus(call, squared(x.real), squared(x.imag))})}};
}

}  // namespace

void add_complex(Emitters& all) {
  all.insert({{"complex", complex},
              {"view_as_real", view_as_real},
              {"view_as_complex", view_as_complex},
              {"real", real_part},
              {"imag", imaginary_part},
              {"conj", conjugate},
              {"_conj", conjugate},
              {"conj_physical", conjugate},
              {"abs", magnitude}});
}

}  // namespace optotorch::onnx
