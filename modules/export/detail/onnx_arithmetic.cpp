#include <optotorch/modules/export/detail/onnx_arithmetic.h>

#include <numeric>
#include <utility>

namespace optotorch::onnx {

std::string plus(Call& call, const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) {
    return a + b;
  }
  return call.graph.add("Add", {a, b});
}

Value product(Call& call, const Value& a, const Value& b, const Multiply& multiply) {
  const auto part = [&](const std::string& x, const std::string& y) {
    return x.empty() || y.empty() ? std::string() : multiply(x, y);
  };
  Value result{.real = multiply(a.real, b.real)};
  if (a.form == Value::Form::real && b.form == Value::Form::real) {
    return result;
  }
  result.form = Value::Form::complex;
  const auto minus = part(a.imag, b.imag);
  if (!minus.empty()) {
    result.real = call.graph.add("Sub", {result.real, minus});
  }
  result.imag = plus(call, part(a.real, b.imag), part(a.imag, b.real));
  return result;
}

Multiply multiply_by(Call& call, const std::string& type) {
  return [&call, type](const std::string& a, const std::string& b) { return call.graph.add(type, {a, b}); };
}

std::string sliced(Call& call, const std::string& tensor, int64_t dim, int64_t begin, int64_t end,
                   int64_t step) {
  auto& graph = call.graph;
  return graph.add("Slice", {tensor, graph.numbers({begin}), graph.numbers({end}), graph.numbers({dim}),
                             graph.numbers({step})});
}

std::string exchanged(Call& call, const std::string& tensor, int64_t rank, int64_t a, int64_t b) {
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order.at(static_cast<size_t>(a)), order.at(static_cast<size_t>(b)));
  return call.graph.add("Transpose", {tensor}, {{"perm", order}});
}

}  // namespace optotorch::onnx
