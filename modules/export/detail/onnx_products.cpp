#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

#include <cmath>
#include <limits>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;

Value matrix_product(Call& call, size_t a, size_t b) {
  return product(call, call.tensor(a), call.tensor(b), multiply_by(call, "MatMul"));
}

/// Sum of real or complex tensors.
Value with_bias(Call& call, const Value& product, const Value& bias) {
  auto sum = product;
  sum.real = plus(call, product.real, bias.real);
  sum.imag = plus(call, product.imag, bias.imag);
  if (product.imag.empty() && !bias.imag.empty()) {
    sum.imag = plus(call, bias.imag, call.zeros(product.real));
  }
  return sum;
}

Values matmul(Call& call) {
  return {matrix_product(call, 0, 1)};
}

Values linear(Call& call) {
  const auto weight =
      each_part(call.tensor(1), [&](const auto& part) { return exchanged(call, part, 2, 0, 1); });
  const auto result = product(call, call.tensor(0), weight, multiply_by(call, "MatMul"));
  return {call.given(2) ? with_bias(call, result, call.tensor(2)) : result};
}

/// beta bias + alpha a b.
Values biased_product(Call& call) {
  const auto scaled = [&](const Value& value, size_t factor) {
    const auto number = call.given(factor) ? call.real_number(factor) : 1;
    return number == 1 ? value : each_part(value, [&](const auto& part) {
      return call.graph.add("Mul", {part, call.graph.number(number, call.output_type())});
    });
  };
  return {with_bias(call, scaled(matrix_product(call, 1, 2), 4), scaled(call.tensor(0), 3))};
}

/// Position of the argument that scales the scores.
Emitter attention(size_t scale) {
  return [=](Call& call) -> Values {
    auto& graph = call.graph;
    const auto type = call.output_type();
    const int64_t rank = call.rank(0);
    if (call.rank(1) != rank || (call.given(4) && call.real_number(4) != 0)) {
      call.refuse("as many heads for keys as for queries, and no dropout", "others");
    }
    const double factor = call.given(scale) ? call.real_number(scale)
                                            : 1 / std::sqrt(static_cast<double>(call.shadow(0).size(-1)));
    const auto query = graph.add("Mul", {call.real(0), graph.number(factor, type)});
    auto scores = graph.add("MatMul", {query, exchanged(call, call.real(1), rank, rank - 2, rank - 1)});
    const double never = -std::numeric_limits<double>::infinity();
    if (call.flag(5)) {
      const auto shape = {call.shadow(0).size(-2), call.shadow(1).size(-2)};
      const auto future = at::full(shape, never, at::TensorOptions(type)).triu(1);
      scores = graph.add("Add", {scores, graph.constant(future)});
    }
    if (call.given(3)) {
      const auto mask = call.real(3);
      scores = call.shadow(3).scalar_type() == at::kBool
                   ? graph.add("Where", {mask, scores, graph.number(never, type)})
                   : graph.add("Add", {scores, mask});
    }
    const auto weights = graph.add("Softmax", {scores}, {{"axis", int64_t{-1}}});
    return {{.real = graph.add("MatMul", {weights, call.real(2)})}};
  };
}

}  // namespace

void add_products(Emitters& all) {
  all.insert({{"matmul", matmul},
              {"mm", matmul},
              {"bmm", matmul},
              {"linear", linear},
              {"addmm", biased_product},
              {"baddbmm", biased_product},
              {"_scaled_dot_product_attention_math", attention(7)},
              {"scaled_dot_product_attention", attention(6)}});
}

}  // namespace optotorch::onnx
