#include <ATen/ATen.h>
#include <ATen/core/PhiloxRNGEngine.h>
#include <optotorch/ops/hadamard_projection.h>
#include <torch/library.h>

#include <bit>
#include <vector>

namespace optotorch::ops {
namespace {

at::Tensor signs(int64_t n, int64_t seed, int64_t row) {
  auto result = at::empty({n}, at::kDouble);
  auto values = result.accessor<double, 1>();
  for (int64_t i = 0; i < n; ++i) {
    at::Philox4_32 engine(static_cast<uint64_t>(seed), /*subsequence=*/3,
                          static_cast<uint64_t>(row) << 32 | static_cast<uint64_t>(i / 128));
    uint32_t word = 0;
    for (int64_t w = 0; w <= i / 32 % 4; ++w) {
      word = engine();
    }
    values[i] = word >> (i % 32) & 1U ? -1 : 1;
  }
  return result;
}

}  // namespace

at::Tensor hadamard_projection_reference(const at::Tensor& x, int64_t rows, int64_t seed, int64_t first_row) {
  check_hadamard_projection(x, rows, first_row);
  const int64_t n = hadamard_size(x.size(1));
  auto h = at::ones({1, 1}, x.options().dtype(at::kDouble));
  while (h.size(0) < n) {
    h = at::cat({at::cat({h, h}, 1), at::cat({h, -h}, 1)}, 0);
  }
  const auto filled = at::constant_pad_nd(x.to(at::kDouble), {0, n - x.size(1)});
  std::vector<at::Tensor> parts;
  const int64_t first = first_row / n;
  for (int64_t matrix = first; matrix * n < first_row + rows; ++matrix) {
    auto y = filled;
    for (int64_t k = 0; k < 3; ++k) {
      y = (y * signs(n, seed, 3 * matrix + k).to(x.device())).mm(h);
    }
    parts.push_back(y / static_cast<double>(n));
  }
  return at::cat(parts, 1).slice(1, first_row - first * n, first_row - first * n + rows).to(x.scalar_type());
}

namespace {

/// The signs are drawn where the generator is.
at::Tensor hadamard_projection_elsewhere(const at::Tensor& x, int64_t rows, int64_t seed, int64_t first_row) {
  check_hadamard_projection(x, rows, first_row);
  return hadamard_projection(x.cpu(), rows, seed, first_row).to(x.device());
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("hadamard_projection", hadamard_projection_elsewhere);
}

}  // namespace

}  // namespace optotorch::ops
