#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <optotorch/ops/cpu/free_space_kernels.h>
#include <optotorch/ops/free_space.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <vector>

namespace optotorch::ops {
namespace {

/// Bytes of the lines that are transformed together: they stay in a core's cache.
constexpr int64_t panel_bytes = 192 << 10;

/// How many lines of so many numbers that is, at most `all`; whole tiles of the transposition.
template <typename T>
int64_t lines_together(int64_t size, int64_t all) {
  const int64_t bytes = size * static_cast<int64_t>(sizeof(Complex<T>));
  return std::clamp<int64_t>(panel_bytes / bytes / 8 * 8, 8, (all + 7) / 8 * 8);
}

template <typename T>
Complex<T>* numbers(const at::Tensor& tensor) {
  return static_cast<Complex<T>*>(tensor.mutable_data_ptr());
}

/// Of every line; backward it divides by their size.
at::Tensor transform(const at::Tensor& lines, bool forward) {
  return at::_fft_c2c(lines, {1}, /*normalization=*/forward ? 0 : 2, forward);
}

/// T of every plane with its columns as rows.
at::Tensor transposed_planes(const at::Tensor& transfer) {
  const auto rows =
      (transfer.dim() == 2 ? transfer.unsqueeze(0) : transfer).resolve_conj().resolve_neg().contiguous();
  const int64_t height = rows.size(1), width = rows.size(2);
  auto result = at::empty({rows.size(0), width, height}, rows.options());
  AT_DISPATCH_COMPLEX_TYPES(rows.scalar_type(), "free_space", [&] {
    using T = typename scalar_t::value_type;
    for (int64_t n = 0; n < rows.size(0); ++n) {
      transpose(numbers<T>(rows) + n * height * width, width, numbers<T>(result) + n * height * width, height,
                height, width);
    }
  });
  return result;
}

/// A hop of single samples, with memory of its own.
template <typename T>
class Hop {
 public:
  /// `transfer` [planes, padded width, padded height], transposed.
  Hop(const at::Tensor& transfer, std::array<int64_t, 2> in, std::array<int64_t, 2> out)
      : transfer_(numbers<T>(transfer)),
        in_(in),
        out_(out),
        width_(transfer.size(1)),
        height_(transfer.size(2)),
        rows_(at::zeros({lines_together<T>(width_, in[0]), width_}, transfer.options())),
        columns_(at::zeros({lines_together<T>(height_, width_), height_}, transfer.options())),
        kept_(at::empty({out[0], width_}, transfer.options())) {}

  void operator()(const Complex<T>* x, int64_t plane, Complex<T>* y) {
    spectra_.clear();
    for (int64_t first = 0; first < in_[0]; first += rows_.size(0)) {
      const auto rows = rows_.narrow(0, 0, std::min(rows_.size(0), in_[0] - first));
      copy(x + first * in_[1], in_[1], numbers<T>(rows), width_, rows.size(0), in_[1]);
      spectra_.push_back(transform(rows, /*forward=*/true));
    }
    for (int64_t first = 0; first < width_; first += columns_.size(0)) {
      columns(first, std::min(columns_.size(0), width_ - first), plane);
    }
    for (int64_t first = 0; first < out_[0]; first += rows_.size(0)) {
      const auto rows = kept_.narrow(0, first, std::min(rows_.size(0), out_[0] - first));
      copy(numbers<T>(transform(rows, /*forward=*/false)), width_, y + first * out_[1], out_[1], rows.size(0),
           out_[1]);
    }
  }

 private:
  static void copy(const Complex<T>* from, int64_t from_pitch, Complex<T>* to, int64_t to_pitch, int64_t rows,
                   int64_t columns) {
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(from + r * from_pitch, columns, to + r * to_pitch);
    }
  }

  /// `count` columns of the rows' spectra, there and back.
  void columns(int64_t first, int64_t count, int64_t plane) {
    const auto panel = columns_.narrow(0, 0, count);
    auto* to = numbers<T>(panel);
    for (const auto& rows : spectra_) {
      transpose(numbers<T>(rows) + first, width_, to, height_, rows.size(0), count);
      to += rows.size(0);
    }
    const auto there = transform(panel, /*forward=*/true);
    multiply(numbers<T>(there), transfer_ + (plane * width_ + first) * height_, count * height_);
    const auto back = transform(there, /*forward=*/false);
    transpose(numbers<T>(back), height_, numbers<T>(kept_) + first, width_, count, out_[0]);
  }

  const Complex<T>* transfer_;
  std::array<int64_t, 2> in_, out_;
  int64_t width_, height_;
  at::Tensor rows_, columns_, kept_;
  std::vector<at::Tensor> spectra_;
};

at::Tensor free_space_cpu(const at::Tensor& field, const at::Tensor& transfer, int64_t height,
                          int64_t width) {
  check_free_space(field, transfer, height, width);
  const auto x = field.resolve_conj().resolve_neg().contiguous();
  const auto columns = transposed_planes(transfer);
  const int64_t planes = x.size(1), samples = x.size(0) * planes, transfers = columns.size(0);
  auto y = at::empty({x.size(0), planes, height, width}, x.options());
  AT_DISPATCH_COMPLEX_TYPES(x.scalar_type(), "free_space", [&] {
    using T = typename scalar_t::value_type;
    const auto* const in = numbers<T>(x);
    auto* const out = numbers<T>(y);
    at::parallel_for(0, samples, 1, [&](int64_t begin, int64_t end) {
      const at::AutoDispatchBelowADInplaceOrView
          below_autograd;  // worker threads know nothing of the caller's
      Hop<T> hop(columns, {x.size(2), x.size(3)}, {height, width});
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
