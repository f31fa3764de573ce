#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <optotorch/ops/free_space.h>
#include <torch/library.h>

#include <algorithm>
#include <array>

namespace optotorch::ops {
namespace {

/// Bytes of the columns that are transformed together: there and back they stay in a core's cache.
constexpr int64_t panel_bytes = 192 << 10;

/// Numbers (re, im) side by side, so that products need no rules for infinities.
template <typename T>
struct Complex {
  T re, im;
};

/// to[c][r] = from[r][c] for `rows` x `columns` numbers in rows of the given pitches.
template <typename T>
void transpose(const Complex<T>* from, int64_t from_pitch, Complex<T>* to, int64_t to_pitch, int64_t rows,
               int64_t columns) {
  constexpr int64_t tile = 8;
  for (int64_t r = 0; r < rows; r += tile) {
    const int64_t last_row = std::min(rows, r + tile);
    for (int64_t c = 0; c < columns; c += tile) {
      const int64_t last_column = std::min(columns, c + tile);
      for (int64_t j = c; j < last_column; ++j) {
        for (int64_t i = r; i < last_row; ++i) {
          to[j * to_pitch + i] = from[i * from_pitch + j];
        }
      }
    }
  }
}

template <typename T>
void multiply(Complex<T>* x, const Complex<T>* by, int64_t count) {
  for (int64_t n = 0; n < count; ++n) {
    const auto a = x[n], b = by[n];
    x[n] = {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
}

template <typename T>
Complex<T>* numbers(const at::Tensor& tensor) {
  return static_cast<Complex<T>*>(tensor.mutable_data_ptr());
}

at::Tensor transform(const at::Tensor& rows, bool forward) {
  return at::_fft_c2c(rows, {1}, /*normalization=*/0, forward);
}

/// A hop of single samples, with memory of its own.
template <typename T>
class Hop {
 public:
  /// `transfer` [planes, padded width, padded height]: transposed, and divided by the points of the grid.
  Hop(const at::Tensor& transfer, std::array<int64_t, 2> in, std::array<int64_t, 2> out)
      : transfer_(numbers<T>(transfer)),
        in_(in),
        out_(out),
        width_(transfer.size(1)),
        height_(transfer.size(2)) {
    const int64_t bytes = height_ * static_cast<int64_t>(sizeof(Complex<T>));
    panel_ = std::clamp<int64_t>(panel_bytes / bytes / 8 * 8, 8, (width_ + 7) / 8 * 8);
    rows_ = at::zeros({in_[0], width_}, transfer.options());
    columns_ = at::zeros({panel_, height_}, transfer.options());
    kept_ = at::empty({out_[0], width_}, transfer.options());
  }

  void operator()(const Complex<T>* x, int64_t plane, Complex<T>* y) {
    auto* const rows = numbers<T>(rows_);
    for (int64_t r = 0; r < in_[0]; ++r) {
      std::copy_n(x + r * in_[1], in_[1], rows + r * width_);
    }
    const auto spectrum = transform(rows_, /*forward=*/true);
    for (int64_t first = 0; first < width_; first += panel_) {
      columns(numbers<T>(spectrum) + first, plane * width_ + first, std::min(panel_, width_ - first),
              numbers<T>(kept_) + first);
    }
    const auto whole = transform(kept_, /*forward=*/false);
    const auto* const back = numbers<T>(whole);
    for (int64_t r = 0; r < out_[0]; ++r) {
      std::copy_n(back + r * width_, out_[1], y + r * out_[1]);
    }
  }

 private:
  /// `count` columns of the rows' spectrum, there and back.
  void columns(const Complex<T>* spectrum, int64_t first, int64_t count, Complex<T>* kept) {
    const auto panel = columns_.narrow(0, 0, count);
    transpose(spectrum, width_, numbers<T>(panel), height_, in_[0], count);
    const auto there = transform(panel, /*forward=*/true);
    multiply(numbers<T>(there), transfer_ + first * height_, count * height_);
    const auto back = transform(there, /*forward=*/false);
    transpose(numbers<T>(back), height_, kept, width_, count, out_[0]);
  }

  const Complex<T>* transfer_;
  std::array<int64_t, 2> in_, out_;
  int64_t width_, height_, panel_;
  at::Tensor rows_, columns_, kept_;
};

at::Tensor free_space_cpu(const at::Tensor& field, const at::Tensor& transfer, int64_t height,
                          int64_t width) {
  check_free_space(field, transfer, height, width);
  const auto x = field.resolve_conj().contiguous();
  const auto points = static_cast<double>(transfer.size(-1) * transfer.size(-2));
  const auto turned = (transfer.dim() == 2 ? transfer.unsqueeze(0) : transfer)
                          .transpose(1, 2)
                          .resolve_conj()
                          .div(points)
                          .contiguous();
  const int64_t planes = x.size(1), samples = x.size(0) * planes, transfers = turned.size(0);
  auto y = at::empty({x.size(0), planes, height, width}, x.options());
  AT_DISPATCH_COMPLEX_TYPES(x.scalar_type(), "free_space", [&] {
    using T = typename scalar_t::value_type;
    const auto* const in = numbers<T>(x);
    auto* const out = numbers<T>(y);
    at::parallel_for(0, samples, 1, [&](int64_t begin, int64_t end) {
      const at::AutoDispatchBelowADInplaceOrView
          below_autograd;  // worker threads know nothing of the caller's
      Hop<T> hop(turned, {x.size(2), x.size(3)}, {height, width});
      for (int64_t n = begin; n < end; ++n) {
        hop(in + n * x.size(2) * x.size(3), n % planes % transfers, out + n * height * width);
      }
    });
  });
  return y;
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("free_space", free_space_cpu);
}

}  // namespace
}  // namespace optotorch::ops
