#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/export/detail/onnx_arithmetic.h>
#include <optotorch/modules/export/detail/onnx_operators.h>

#include <cmath>
#include <numbers>
#include <numeric>

namespace optotorch::onnx {
namespace {

using Values = std::vector<Value>;

/// A longer transform is done in two steps, by two small matrices.
constexpr int64_t longest_matrix = 512;

/// One transform along one dimension: `from` values, filled up with zeros, to `to`.
struct Transform {
  int64_t dim, from, to;
  bool inverse;
  double scale;
};

/// exp(i 2 pi j k / n) scale as cosine and sine, stored once: `rows` and `columns` of j and k.
Value waves(Call& call, int64_t n, int64_t rows, int64_t columns, double scale) {
  const auto type = call.output_type();
  const auto name = [&](const char* function) {
    return c10::str("fourier_", n, "_", rows, "x", columns, "_", scale, "_", type_name(type), ".", function);
  };
  const auto angles = [&] {
    const auto turns = at::arange(rows, at::kLong).unsqueeze(1) * at::arange(columns, at::kLong);
    return turns.remainder(n).to(at::kDouble) * (2 * std::numbers::pi / static_cast<double>(n));
  };
  return {.real = call.graph.store(name("cos"), [&] { return (angles().cos() * scale).to(type); }),
          .imag = call.graph.store(name("sin"), [&] { return (angles().sin() * scale).to(type); })};
}

/// The product with waves, or with their conjugate.
Value turned(Call& call, const Value& x, const Value& waves, bool inverse, const Multiply& multiply) {
  auto& graph = call.graph;
  Value result{.form = Value::Form::complex,
               .real = multiply(x.real, waves.real),
               .imag = multiply(x.real, waves.imag)};
  if (x.imag.empty()) {
    result.imag = inverse ? result.imag : graph.add("Neg", {result.imag});
    return result;
  }
  const auto sines = multiply(x.imag, waves.imag), cosines = multiply(x.imag, waves.real);
  result.real = graph.add(inverse ? "Sub" : "Add", {result.real, sines});
  result.imag = inverse ? graph.add("Add", {cosines, result.imag}) : graph.add("Sub", {cosines, result.imag});
  return result;
}

Multiply from_left(Call& call) {
  return [&call](const std::string& x, const std::string& matrix) {
    return call.graph.add("MatMul", {matrix, x});
  };
}

/// n = first * second: columns of the input, written in rows of `second`, then twiddle factors, then rows.
Value in_two_steps(Call& call, Value x, const Transform& transform, int64_t first,
                   std::vector<int64_t> sizes) {
  const int64_t n = transform.to, second = n / first, rank = static_cast<int64_t>(sizes.size());
  const int64_t missing = n - transform.from;
  sizes.back() = first;
  sizes.push_back(second);
  x = each_part(x, [&](auto part) {
    if (missing > 0) {
      std::vector<int64_t> pads(static_cast<size_t>(2 * rank), 0);
      pads.back() = missing;
      part = call.graph.add("Pad", {part, call.graph.numbers(pads)});
    }
    return call.reshaped(part, sizes);
  });
  x = turned(call, x, waves(call, first, first, first, 1), transform.inverse, from_left(call));
  x = turned(call, x, waves(call, n, first, second, transform.scale), transform.inverse,
             multiply_by(call, "Mul"));
  x = turned(call, x, waves(call, second, second, second, 1), transform.inverse, multiply_by(call, "MatMul"));
  sizes.pop_back();
  sizes.back() = n;
  return each_part(x, [&](const auto& part) {
    return call.reshaped(exchanged(call, part, rank + 1, rank - 1, rank), sizes);
  });
}

/// The greatest divisor up to the root.
int64_t divisor(int64_t n) {
  auto d = static_cast<int64_t>(std::sqrt(static_cast<double>(n)));
  while (n % d != 0) {
    --d;
  }
  return d;
}

/// Products with constant matrices: onnxruntime's DFT errs by 1e-4 of the largest value but the mean for 400
/// points in float32, these by 4e-6.
Value transformed(Call& call, Value x, const Transform& transform, std::vector<int64_t> sizes) {
  const auto rank = static_cast<int64_t>(sizes.size());
  const int64_t from = std::min(transform.from, transform.to), n = transform.to;
  if (from < transform.from) {
    x = each_part(x, [&](const auto& part) { return sliced(call, part, transform.dim, 0, from); });
    sizes[static_cast<size_t>(transform.dim)] = from;
  }
  const bool split = n > longest_matrix && divisor(n) > 1;
  if (!split && transform.dim == rank - 2) {
    return turned(call, x, waves(call, n, n, from, transform.scale), transform.inverse, from_left(call));
  }
  const auto to_the_end = [&](const std::string& part) {
    return transform.dim == rank - 1 ? part : exchanged(call, part, rank, transform.dim, rank - 1);
  };
  x = each_part(x, to_the_end);
  std::swap(sizes[static_cast<size_t>(transform.dim)], sizes.back());
  x = split ? in_two_steps(call, x, {transform.dim, from, n, transform.inverse, transform.scale}, divisor(n),
                           sizes)
            : turned(call, x, waves(call, n, from, n, transform.scale), transform.inverse,
                     multiply_by(call, "MatMul"));
  return each_part(x, to_the_end);
}

double scale_of(Call& call, int64_t n, bool inverse) {
  const std::string norm = call.given(3) ? call.text(3) : "backward";
  if (norm == "ortho") {
    return 1 / std::sqrt(static_cast<double>(n));
  }
  return (norm == "forward") != inverse ? 1 / static_cast<double>(n) : 1;
}

/// Along the dimensions at argument 2, to the sizes at argument 1.
Emitter fourier(bool inverse) {
  return [=](Call& call) -> Values {
    const auto output = call.output_sizes();
    std::vector<int64_t> dims;
    if (call.given(2)) {
      dims = call.input(2).small.isInt() ? std::vector<int64_t>{call.integer(2)} : call.integers(2);
    } else {
      dims.resize(static_cast<size_t>(call.rank(0)));
      std::iota(dims.begin(), dims.end(), 0);
    }
    auto sizes = call.sizes(0);
    auto x = call.tensor(0);
    if (call.shadow(0).scalar_type() != call.output_type() && !call.shadow(0).is_complex()) {
      x.real = call.cast(x.real, call.output_type());
    }
    for (auto dim = dims.rbegin(); dim != dims.rend(); ++dim) {
      const int64_t place = call.dim(0, *dim), from = sizes.at(static_cast<size_t>(place)),
                    to = output.at(static_cast<size_t>(place));
      if (from < 0 || to < 0) {
        call.refuse("a transform of the samples", "one along the batch");
      }
      x = transformed(call, x, {place, from, to, inverse, scale_of(call, to, inverse)}, sizes);
      sizes[static_cast<size_t>(place)] = to;
    }
    return {x};
  };
}

}  // namespace

void add_fourier(Emitters& all) {
  all.insert({{"fft_fft", fourier(false)},
              {"fft_fft2", fourier(false)},
              {"fft_fftn", fourier(false)},
              {"fft_ifft", fourier(true)},
              {"fft_ifft2", fourier(true)},
              {"fft_ifftn", fourier(true)}});
}

}  // namespace optotorch::onnx
