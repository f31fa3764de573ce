#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;

Values reshape(Call& call) {
  if (call.sizes(0) == call.output_sizes()) {
    return {call.value(0)};
  }
  return {each_part(call.tensor(0), [&](const auto& part) { return call.reshaped(part); })};
}

Values expand(Call& call) {
  auto from = call.sizes(0);
  auto to = call.output_sizes();
  if (from == to) {
    return {call.value(0)};
  }
  from.insert(from.begin(), to.size() - from.size(), 1);
  for (size_t dim = 0; dim < to.size(); ++dim) {
    if (to[dim] < 0 && from[dim] >= 0) {
      call.refuse("a tensor that is not repeated for every sample", "one that is");
    }
    to[dim] = from[dim] == to[dim] ? 1 : to[dim];  // 1 leaves a size as it is
  }
  const auto sizes = call.graph.numbers(to);
  return {each_part(call.tensor(0), [&](const auto& part) {
    return call.graph.add("Expand", {part, sizes});
  })};
}

Values transposed(Call& call, const std::vector<int64_t>& order) {
  return {each_part(call.tensor(0), [&](const auto& part) {
    return call.graph.add("Transpose", {part}, {{"perm", order}});
  })};
}

std::vector<int64_t> dimensions(Call& call) {
  std::vector<int64_t> order(static_cast<size_t>(call.rank(0)));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

Values exchange(Call& call, int64_t a, int64_t b) {
  auto order = dimensions(call);
  std::swap(order.at(static_cast<size_t>(call.dim(0, a))), order.at(static_cast<size_t>(call.dim(0, b))));
  return transposed(call, order);
}

Values transpose(Call& call) {
  return exchange(call, call.integer(1), call.integer(2));
}

Values transpose_last(Call& call) {
  return call.rank(0) < 2 ? Values{call.value(0)} : exchange(call, -2, -1);
}

Values permute(Call& call) {
  auto order = call.integers(1);
  std::transform(order.begin(), order.end(), order.begin(), [&](int64_t dim) { return call.dim(0, dim); });
  return transposed(call, order);
}

/// Joins a list along a dimension, which `prepare` may have to make first.
template <typename Prepare>
Values joined(Call& call, int64_t dim, const Prepare& prepare) {
  std::vector<Value> parts;
  bool complex = false, imaginary = false;
  for (const auto& item : call.input(0).items) {
    parts.push_back(call.tensor(item));
    complex = complex || parts.back().form == Value::Form::complex;
    imaginary = imaginary || !parts.back().imag.empty();
  }
  std::vector<std::string> real, imag;
  for (const auto& part : parts) {
    real.push_back(prepare(part.real));
    if (imaginary) {
      imag.push_back(prepare(part.imag.empty() ? call.zeros(part.real) : part.imag));
    }
  }
  Value result{.form = complex ? Value::Form::complex : Value::Form::real,
               .real = call.graph.add("Concat", real, {{"axis", dim}})};
  if (imaginary) {
    result.imag = call.graph.add("Concat", imag, {{"axis", dim}});
  }
  return {result};
}

int64_t output_dim(Call& call) {
  const int64_t dim = call.integer(1);
  return dim < 0 ? dim + call.output().small.toTensor().dim() : dim;
}

Values cat(Call& call) {
  return joined(call, output_dim(call), [](const auto& part) { return part; });
}

Values stack(Call& call) {
  const auto dim = call.graph.numbers({output_dim(call)});
  return joined(call, output_dim(call), [&](const auto& part) {
    return call.graph.add("Unsqueeze", {part, dim});
  });
}

Values pad(Call& call) {
  const auto given = call.integers(1);  // last dimension first, before and behind it
  const auto rank = static_cast<size_t>(call.rank(0));
  std::vector<int64_t> all(2 * rank, 0);
  for (size_t i = 0; i < given.size() / 2; ++i) {
    all[rank - 1 - i] = given[2 * i];
    all[2 * rank - 1 - i] = given[2 * i + 1];
  }
  if (std::all_of(all.begin(), all.end(), [](int64_t count) { return count == 0; })) {
    return {call.value(0)};
  }
  auto x = call.tensor(0);
  const auto padded = [&](const std::string& part, double value) {
    return call.graph.add("Pad",
                          {part, call.graph.numbers(all), call.graph.number(value, call.output_type())});
  };
  x.real = padded(x.real, call.given(2) ? call.real_number(2) : 0);
  x.imag = x.imag.empty() ? x.imag : padded(x.imag, 0);
  return {x};
}

Values roll(Call& call) {
  const auto shifts = call.integers(1), dims = call.integers(2);
  if (dims.size() != shifts.size()) {
    call.refuse("a dimension for every shift", "none");
  }
  auto x = call.tensor(0);
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t dim = call.dim(0, dims[i]), size = call.sizes(0).at(static_cast<size_t>(dim));
    if (size < 0) {
      call.refuse("the dimensions of a sample to roll", "the batch");
    }
    const int64_t shift = size == 0 ? 0 : (shifts[i] % size + size) % size;
    if (shift != 0) {
      x = each_part(x, [&](const auto& part) {
        return call.graph.add(
            "Concat", {sliced(call, part, dim, size - shift, size), sliced(call, part, dim, 0, size - shift)},
            {{"axis", dim}});
      });
    }
  }
  return {x};
}

}  // namespace

void add_shapes(Emitters& all) {
  for (const char* name : {"reshape", "view", "flatten", "unflatten", "reshape_as", "view_as", "_unsafe_view",
                           "unsqueeze", "squeeze"}) {
    all[name] = reshape;
  }
  all.insert({{"expand", expand}, {"expand_as", expand}, {"transpose", transpose}, {"permute", permute}});
  all.insert({{"t", transpose_last}, {"mT", transpose_last}, {"numpy_T", transpose_last}});
  all.insert({{"cat", cat}, {"stack", stack}, {"constant_pad_nd", pad}, {"roll", roll}});
}

}  // namespace optotorch::onnx
