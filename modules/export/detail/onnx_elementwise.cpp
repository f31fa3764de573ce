#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

#include <cmath>
#include <numbers>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;
using Form = Value::Form;

/// Both operands of a broadcasting operator. A filled one is a number, unless the output's sizes are its own.
std::pair<Value, Value> operands(Call& call, at::ScalarType type, size_t first = 0) {
  auto a = call.operand(first, type), b = call.operand(first + 1, type);
  bool shaped = false;
  for (size_t i = 0; i <= first + 1; ++i) {
    shaped = shaped ||
             (call.input(i).small.isTensor() && !call.value(i).fill && call.sizes(i) == call.output_sizes());
  }
  for (auto* value : {&a, &b}) {
    if (value->fill && !shaped) {
      value->real = call.filled(*value->fill, value->like, type);
    }
    value->fill.reset();
  }
  return {a, b};
}

Values sum_of_two(Call& call, Value a, Value b, bool subtract) {
  const auto type = call.output_type();
  if (call.given(2) && call.real_number(2) != 1) {
    const auto factor = call.graph.number(call.real_number(2), type);
    b = each_part(b, [&](const auto& part) { return call.graph.add("Mul", {part, factor}); });
  }
  Value result{.form = a.form == Form::complex ? a.form : b.form,
               .real = call.graph.add(subtract ? "Sub" : "Add", {a.real, b.real})};
  if (subtract && a.imag.empty() && !b.imag.empty()) {
    result.imag = call.graph.add("Neg", {b.imag});
  } else if (subtract && !b.imag.empty()) {
    result.imag = call.graph.add("Sub", {a.imag, b.imag});
  } else {
    result.imag = plus(call, a.imag, b.imag);
  }
  // A part of its own must have the sum's sizes.
  const size_t last = b.imag.empty() ? 0 : 1;
  const bool alone = !result.imag.empty() && (a.imag.empty() || b.imag.empty());
  if (alone && (!call.input(last).small.isTensor() || call.sizes(last) != call.output_sizes())) {
    result.imag = call.graph.add("Add", {result.imag, call.zeros(result.real)});
  }
  return {result};
}

Values add_values(Call& call) {
  const auto [a, b] = operands(call, call.output_type());
  return sum_of_two(call, a, b, false);
}

Values subtract(Call& call) {
  const auto [a, b] = operands(call, call.output_type());
  return sum_of_two(call, a, b, true);
}

Values multiply(Call& call) {
  const auto [a, b] = operands(call, call.output_type());
  return {product(call, a, b, multiply_by(call, "Mul"))};
}

Values divide(Call& call) {
  if (call.given(2)) {
    call.refuse("a division without rounding", call.text(2));
  }
  const auto [a, b] = operands(call, call.output_type());
  const auto divisor = call.real(b);
  return {each_part(a, [&](const auto& part) { return call.graph.add("Div", {part, divisor}); })};
}

Emitter comparison(const std::string& type, bool negated = false) {
  return [=](Call& call) -> Values {
    const auto common = call.input(1).small.isTensor()
                            ? at::result_type(call.shadow(0), call.shadow(1))
                            : at::result_type(call.shadow(0), call.input(1).small.toScalar());
    const auto [a, b] = operands(call, common);
    const auto result = call.graph.add(type, {call.real(a), call.real(b)});
    return {{.real = negated ? call.graph.add("Not", {result}) : result}};
  };
}

/// Of real numbers.
Emitter unary(const std::string& type, const std::vector<Attribute>& attributes = {}) {
  return [=](Call& call) -> Values {
    auto x = call.real(0);
    if (call.shadow(0).scalar_type() != call.output_type()) {
      x = call.cast(x, call.output_type());
    }
    return {{.real = call.graph.add(type, {x}, attributes)}};
  };
}

Values where(Call& call) {
  const auto condition = call.real(0);
  auto [a, b] = operands(call, call.output_type(), 1);
  const auto choose = [&](const std::string& x, const std::string& y) {
    return call.graph.add("Where", {condition, x, y});
  };
  Value result{.form = a.form == Form::complex ? a.form : b.form, .real = choose(a.real, b.real)};
  if (!a.imag.empty() || !b.imag.empty()) {
    const auto zero = call.graph.number(0, call.output_type());
    result.imag = choose(a.imag.empty() ? zero : a.imag, b.imag.empty() ? zero : b.imag);
  }
  return {result};
}

Values square(Call& call) {
  auto x = call.value(0);
  if (x.form == Form::pair) {  // of each part by itself
    return {each_part(x, [&](const auto& part) { return call.graph.add("Mul", {part, part}); })};
  }
  x = call.tensor(0);
  return {product(call, x, x, multiply_by(call, "Mul"))};
}

Values power(Call& call) {
  const auto [base, exponent] = operands(call, call.output_type());
  return {{.real = call.graph.add("Pow", {call.real(base), call.real(exponent)})}};
}

Values negative(Call& call) {
  return {each_part(call.tensor(0), [&](const auto& part) { return call.graph.add("Neg", {part}); })};
}

/// Emits the bounds at these arguments.
Emitter clamp(size_t low, size_t high) {
  return [=](Call& call) -> Values {
    auto x = call.real(0);
    for (const auto& [bound, type] : {std::pair(low, "Max"), std::pair(high, "Min")}) {
      if (bound > 0 && call.given(bound)) {
        x = call.graph.add(type, {x, call.graph.number(call.real_number(bound), call.output_type())});
      }
    }
    return {{.real = x}};
  };
}

Values gelu(Call& call) {
  auto& graph = call.graph;
  const auto x = call.real(0);
  const auto number = [&](double value) { return graph.number(value, call.output_type()); };
  const auto times = [&](const std::string& a, const std::string& b) { return graph.add("Mul", {a, b}); };
  std::string bell;
  if (call.text(1) == "tanh") {
    const auto cube = times(times(x, x), times(x, number(0.044715)));
    bell = graph.add("Tanh", {times(plus(call, x, cube), number(std::sqrt(2 * std::numbers::inv_pi)))});
  } else {
    bell = graph.add("Erf", {times(x, number(1 / std::numbers::sqrt2))});
  }
  return {{.real = times(times(x, number(0.5)), plus(call, bell, number(1)))}};
}

Values leaky_relu(Call& call) {
  return {{.real = call.graph.add("LeakyRelu", {call.real(0)}, {{"alpha", call.real_number(1)}})}};
}

Values elu(Call& call) {
  if (call.real_number(2) != 1 || call.real_number(3) != 1) {
    call.refuse("scales of 1", c10::str(call.real_number(2), " and ", call.real_number(3)));
  }
  return {{.real = call.graph.add("Elu", {call.real(0)}, {{"alpha", call.real_number(1)}})}};
}

Values silu(Call& call) {
  const auto x = call.real(0);
  return {{.real = call.graph.add("Mul", {x, call.graph.add("Sigmoid", {x})})}};
}

/// A tensor of the input's shape that holds one number.
Values filled_with(Call& call, double number) {
  auto x = call.value(0);
  if (x.form != Form::real) {
    x = {.real = call.real(0)};
  }
  return {{.fill = number, .like = x.fill ? x.like : x.real}};
}

Emitter filled_like(double number) {
  return [=](Call& call) { return filled_with(call, number); };
}

Values filled_with_argument(Call& call) {
  if (call.input(1).small.isTensor()) {
    call.refuse("a number to fill with", "a tensor");
  }
  return filled_with(call, call.real_number(1));
}

Values unchanged(Call& call) {
  return {call.value(0)};
}

Values converted(Call& call) {
  const auto& from = call.shadow(0);
  const auto& to = call.output().small.toTensor();
  if (from.scalar_type() == to.scalar_type()) {
    return unchanged(call);
  }
  if (from.is_complex() && !to.is_complex()) {
    call.refuse("a conversion that keeps complex numbers", "one to real ones");
  }
  auto x = call.tensor(0);
  if (c10::toRealValueType(from.scalar_type()) != call.output_type()) {
    x = each_part(x, [&](const auto& part) { return call.cast(part, call.output_type()); });
  }
  x.form = to.is_complex() ? Form::complex : Form::real;
  return {x};
}

}  // namespace

void add_elementwise(Emitters& all) {
  all.insert({{"add", add_values}, {"sub", subtract}, {"mul", multiply}, {"div", divide}, {"pow", power}});
  all.insert({{"gt", comparison("Greater")},
              {"ge", comparison("GreaterOrEqual")},
              {"lt", comparison("Less")},
              {"le", comparison("LessOrEqual")},
              {"eq", comparison("Equal")},
              {"ne", comparison("Equal", /*negated=*/true)},
              {"logical_not", unary("Not")},
              {"where", where}});
  all.insert({{"sin", unary("Sin")},
              {"cos", unary("Cos")},
              {"exp", unary("Exp")},
              {"log", unary("Log")},
              {"sqrt", unary("Sqrt")},
              {"erf", unary("Erf")},
              {"tanh", unary("Tanh")},
              {"sigmoid", unary("Sigmoid")},
              {"relu", unary("Relu")},
              {"reciprocal", unary("Reciprocal")},
              {"floor", unary("Floor")},
              {"sign", unary("Sign")},
              {"neg", negative},
              {"square", square},
              {"gelu", gelu},
              {"leaky_relu", leaky_relu},
              {"elu", elu},
              {"silu", silu},
              {"clamp", clamp(1, 2)},
              {"clamp_min", clamp(1, 0)},
              {"clamp_max", clamp(0, 1)}});
  all.insert({{"ones_like", filled_like(1)},
              {"zeros_like", filled_like(0)},
              {"empty_like", filled_like(0)},
              {"full_like", filled_with_argument},
              {"fill", filled_with_argument}});
  for (const char* name :
       {"alias", "detach", "contiguous", "clone", "resolve_conj", "resolve_neg", "dropout"}) {
    all[name] = unchanged;
  }
  all.insert({{"to", converted}, {"type_as", converted}, {"_to_copy", converted}});
}

}  // namespace optotorch::onnx
