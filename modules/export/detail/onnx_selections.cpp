#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

#include <limits>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;
using Form = Value::Form;

int64_t size_of(Call& call, int64_t dim) {
  return call.sizes(0).at(static_cast<size_t>(dim));
}

Values between(Call& call, int64_t dim, int64_t begin, int64_t end, int64_t step = 1) {
  if (begin == 0 && step == 1 && size_of(call, dim) >= 0 && end >= size_of(call, dim)) {
    return {call.value(0)};
  }
  return {
      each_part(call.tensor(0), [&](const auto& part) { return sliced(call, part, dim, begin, end, step); })};
}

Values narrow(Call& call) {
  const int64_t dim = call.dim(0, call.integer(1)), size = size_of(call, dim);
  const int64_t start = call.integer(2), length = call.integer(3);
  if (size < 0) {
    call.refuse("a part of the samples' dimensions", "a part of the batch");
  }
  const int64_t begin = start < 0 ? start + size : start;
  return between(call, dim, begin, begin + length);
}

Values slice(Call& call) {
  constexpr int64_t all = std::numeric_limits<int64_t>::max();
  return between(call, call.dim(0, call.integer(1)), call.given(2) ? call.integer(2) : 0,
                 call.given(3) ? call.integer(3) : all, call.integer(4));
}

std::string gathered(Call& call, const std::string& tensor, int64_t dim, const std::string& index) {
  return call.graph.add("Gather", {tensor, index}, {{"axis", dim}});
}

Values select(Call& call) {
  const int64_t dim = call.dim(0, call.integer(1)), index = call.integer(2);
  const auto x = call.value(0);
  if (x.form == Form::pair && dim == call.rank(0) - 1) {
    const bool real = index == 0 || index == -2;
    return {real || !x.imag.empty() ? Value{.real = real ? x.real : x.imag}
                                    : Value{.fill = 0, .like = x.real}};
  }
  const auto number = call.graph.constant(at::scalar_tensor(index, at::kLong));
  return {each_part(call.tensor(0), [&](const auto& part) { return gathered(call, part, dim, number); })};
}

Values index_select(Call& call) {
  const auto index = call.real(2);
  const int64_t dim = call.dim(0, call.integer(1));
  return {each_part(call.tensor(0), [&](const auto& part) { return gathered(call, part, dim, index); })};
}

Values embedding(Call& call) {
  return {{.real = gathered(call, call.real(0), 0, call.real(1))}};
}

/// Parts along a dimension, as many as LibTorch made: `cut(tensor, n)` is the n-th of a real tensor.
template <typename Cut>
Values parts_along(Call& call, int64_t dim, const Cut& cut) {
  if (size_of(call, dim) < 0) {
    call.refuse("parts of samples", "parts of the batch");
  }
  const auto x = call.tensor(0);
  Values parts;
  for (size_t n = 0; n < call.output().items.size(); ++n) {
    parts.push_back(each_part(x, [&](const auto& part) { return cut(part, n); }));
  }
  return parts;
}

/// One behind another, as long as LibTorch made them.
Values split(Call& call) {
  const int64_t dim = call.dim(0, call.integer(2));
  std::vector<int64_t> ends{0};
  for (const auto& item : call.output().items) {
    ends.push_back(ends.back() + item.small.toTensor().size(dim));
  }
  return parts_along(
      call, dim, [&](const auto& part, size_t n) { return sliced(call, part, dim, ends[n], ends[n + 1]); });
}

Values unbind(Call& call) {
  const int64_t dim = call.dim(0, call.integer(1));
  return parts_along(call, dim, [&](const auto& part, size_t n) {
    return gathered(call, part, dim,
                    call.graph.constant(at::scalar_tensor(static_cast<int64_t>(n), at::kLong)));
  });
}

}  // namespace

void add_selections(Emitters& all) {
  all.insert({{"narrow", narrow},
              {"slice", slice},
              {"select", select},
              {"index_select", index_select},
              {"embedding", embedding},
              {"chunk", split},
              {"split", split},
              {"split_with_sizes", split},
              {"unbind", unbind}});
}

}  // namespace optotorch::onnx
