#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

#include <algorithm>
#include <numeric>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;
using Form = Value::Form;

/// Dimensions that go, from the front: those at this argument, or all.
std::vector<int64_t> reduced(Call& call, size_t argument) {
  std::vector<int64_t> dims;
  if (call.given(argument) && call.input(argument).small.isIntList()) {
    dims = call.integers(argument);
  }
  if (dims.empty()) {
    dims.resize(static_cast<size_t>(call.rank(0)));
    std::iota(dims.begin(), dims.end(), 0);
  }
  std::transform(dims.begin(), dims.end(), dims.begin(), [&](int64_t dim) { return call.dim(0, dim); });
  return dims;
}

bool keeps(Call& call) {
  return call.output().small.toTensor().dim() == call.rank(0) && call.rank(0) > 0;
}

std::string summed(Call& call, const std::string& x, const std::vector<int64_t>& dims) {
  return call.graph.add("ReduceSum", {x, call.graph.numbers(dims)}, {{"keepdims", int64_t{keeps(call)}}});
}

Values sum(Call& call) {
  auto dims = reduced(call, 1);
  auto x = call.value(0);
  const auto last = std::find(dims.begin(), dims.end(), call.rank(0) - 1);
  if (x.form == Form::pair && last != dims.end() && !keeps(call)) {
    // Of both parts, which is how a modulus is made.
    dims.erase(last);
    const auto both = plus(call, x.real, x.imag);
    return {{.real = dims.empty() ? both : summed(call, both, dims)}};
  }
  x = call.tensor(0);
  const bool converts = c10::toRealValueType(call.shadow(0).scalar_type()) != call.output_type();
  return {each_part(x, [&](const auto& part) {
    return summed(call, converts ? call.cast(part, call.output_type()) : part, dims);
  })};
}

/// With the dimensions as an attribute, as they are in opset 17.
Emitter reduction(const std::string& type, size_t argument) {
  return [=](Call& call) -> Values {
    const std::vector<Attribute> attributes{{"axes", reduced(call, argument)},
                                            {"keepdims", int64_t{keeps(call)}}};
    return {each_part(call.tensor(0),
                      [&](const auto& part) { return call.graph.add(type, {part}, attributes); })};
  };
}

Values norm(Call& call) {
  if (call.given(1) && call.real_number(1) != 2) {
    call.refuse("the Euclidean norm", c10::str("the norm of order ", call.real_number(1)));
  }
  call.real(0);
  return reduction("ReduceL2", 2)(call);
}

Emitter real_reduction(const std::string& type) {
  return [=](Call& call) -> Values {
    call.real(0);
    return reduction(type, 1)(call);
  };
}

Emitter along_dimension(const std::string& type) {
  return [=](Call& call) -> Values {
    return {{.real = call.graph.add(type, {call.real(0)}, {{"axis", call.dim(0, call.integer(1))}})}};
  };
}

Values cumulative_sum(Call& call) {
  const auto dim = call.graph.constant(at::scalar_tensor(call.dim(0, call.integer(1)), at::kLong));
  return {each_part(call.tensor(0), [&](const auto& part) { return call.graph.add("CumSum", {part, dim}); })};
}

}  // namespace

void add_reductions(Emitters& all) {
  all.insert({{"sum", sum},
              {"mean", reduction("ReduceMean", 1)},
              {"amax", real_reduction("ReduceMax")},
              {"amin", real_reduction("ReduceMin")},
              {"norm", norm},
              {"linalg_vector_norm", norm},
              {"cumsum", cumulative_sum},
              {"softmax", along_dimension("Softmax")},
              {"log_softmax", along_dimension("LogSoftmax")}});
}

}  // namespace optotorch::onnx
