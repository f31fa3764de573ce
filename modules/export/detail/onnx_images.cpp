#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

#include <algorithm>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;

/// One number for every dimension of an image: LibTorch writes equal ones once.
std::vector<int64_t> per_dimension(Call& call, size_t argument, int64_t number = 1) {
  auto values = call.given(argument) ? call.integers(argument) : std::vector<int64_t>();
  if (values.empty()) {
    values.push_back(number);
  }
  values.resize(static_cast<size_t>(call.rank(0) - 2), values.back());
  return values;
}

/// Before and behind every dimension.
std::vector<int64_t> both_sides(std::vector<int64_t> padding) {
  padding.insert(padding.end(), padding.begin(), padding.end());
  return padding;
}

void require_batch_of_images(Call& call, int64_t rank) {
  if (call.rank(0) != rank) {
    call.refuse(c10::str("a batch, ", rank, " dimensions"), c10::str(call.rank(0)));
  }
}

/// The groups' argument, and that of `transposed` or 0.
Emitter convolution(size_t groups, size_t transposed) {
  return [=](Call& call) -> Values {
    if (transposed != 0 && call.flag(transposed)) {
      call.refuse("a convolution", "a transposed one");
    }
    std::vector<std::string> inputs{call.real(0), call.real(1)};
    if (call.given(2)) {
      inputs.push_back(call.real(2));
    }
    return {{.real = call.graph.add("Conv", inputs,
                                    {{"strides", per_dimension(call, 3)},
                                     {"pads", both_sides(per_dimension(call, 4, 0))},
                                     {"dilations", per_dimension(call, 5)},
                                     {"group", call.integer(groups)}})}};
  };
}

/// A window's stride, which is its size unless it is given.
std::vector<int64_t> strides(Call& call) {
  return per_dimension(call, call.given(2) && !call.integers(2).empty() ? 2 : 1);
}

Values max_pool(Call& call) {
  require_batch_of_images(call, 4);
  return {{.real = call.graph.add("MaxPool", {call.real(0)},
                                  {{"kernel_shape", per_dimension(call, 1)},
                                   {"strides", strides(call)},
                                   {"pads", both_sides(per_dimension(call, 3, 0))},
                                   {"dilations", per_dimension(call, 4)},
                                   {"ceil_mode", int64_t{call.flag(5)}}})}};
}

/// Averages over windows, first across and then down, by matrices: what `pool` makes of the unit vectors of
/// one dimension of the image. For windows that AveragePool does not know or counts in another way.
template <typename Pool>
Values pooled_by_matrices(Call& call, const Pool& pool) {
  const auto matrix = [&](size_t dim) {
    return pool(at::eye(call.shadow(0).size(static_cast<int64_t>(dim) + 2), call.output_type()).unsqueeze(0),
                dim)[0];
  };
  const auto across = call.graph.add("MatMul", {call.real(0), call.graph.constant(matrix(1))});
  return {{.real = call.graph.add("MatMul", {call.graph.constant(matrix(0).t()), across})}};
}

Values average_pool(Call& call) {
  require_batch_of_images(call, 4);
  if (call.given(6)) {
    call.refuse("an average", "a sum with a divisor of its own");
  }
  const auto window = per_dimension(call, 1), padding = per_dimension(call, 3, 0);
  const bool counts_padding = call.flag(5);
  if (call.flag(4)) {
    return pooled_by_matrices(call, [&](const at::Tensor& lines, size_t dim) {
      return at::avg_pool1d(lines, window[dim], strides(call)[dim], padding[dim], /*ceil_mode=*/true,
                            counts_padding);
    });
  }
  return {{.real = call.graph.add("AveragePool", {call.real(0)},
                                  {{"kernel_shape", window},
                                   {"strides", strides(call)},
                                   {"pads", both_sides(padding)},
                                   {"count_include_pad", int64_t{counts_padding}}})}};
}

Values adaptive_average_pool(Call& call) {
  require_batch_of_images(call, 4);
  const auto to = call.integers(1);
  return pooled_by_matrices(
      call, [&](const at::Tensor& lines, size_t dim) { return at::adaptive_avg_pool1d(lines, to[dim]); });
}

/// Places of one dimension that windows see, [window, windows].
at::Tensor places(int64_t size, int64_t window, int64_t dilation, int64_t stride) {
  const int64_t windows = (size - dilation * (window - 1) - 1) / stride + 1;
  return (at::arange(window) * dilation).unsqueeze(1) + at::arange(windows) * stride;
}

/// ai.onnx has no such operator in opset 17: the pixels are gathered by their numbers.
Values im2col(Call& call) {
  require_batch_of_images(call, 4);
  const auto window = per_dimension(call, 1), dilation = per_dimension(call, 2),
             padding = per_dimension(call, 3, 0), stride = per_dimension(call, 4);
  auto sizes = call.sizes(0);
  auto x = call.tensor(0);
  if (std::any_of(padding.begin(), padding.end(), [](int64_t count) { return count != 0; })) {
    const auto pads = call.graph.numbers({0, 0, padding[0], padding[1], 0, 0, padding[0], padding[1]});
    x = each_part(x, [&](const auto& part) { return call.graph.add("Pad", {part, pads}); });
    sizes[2] += 2 * padding[0];
    sizes[3] += 2 * padding[1];
  }
  const auto rows = places(sizes[2], window[0], dilation[0], stride[0]),
             columns = places(sizes[3], window[1], dilation[1], stride[1]);
  // [window's rows, window's columns, windows down, windows across]
  const auto pixels = rows.unsqueeze(1).unsqueeze(3) * sizes[3] + columns.unsqueeze(0).unsqueeze(2);
  const auto index = call.graph.constant(pixels.flatten());
  return {each_part(x, [&](const auto& part) {
    const auto flat = call.reshaped(part, {sizes[0], sizes[1], sizes[2] * sizes[3]});
    return call.reshaped(call.graph.add("Gather", {flat, index}, {{"axis", int64_t{2}}}));
  })};
}

}  // namespace

void add_images(Emitters& all) {
  all.insert({{"_convolution", convolution(8, 6)},
              {"convolution", convolution(8, 6)},
              {"conv1d", convolution(6, 0)},
              {"conv2d", convolution(6, 0)},
              {"max_pool2d", max_pool},
              {"avg_pool2d", average_pool},
              {"adaptive_avg_pool2d", adaptive_average_pool},
              {"im2col", im2col}});
}

}  // namespace optotorch::onnx
