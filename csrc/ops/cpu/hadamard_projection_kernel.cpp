#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/PhiloxRNGEngine.h>
#include <optotorch/ops/cpu/hadamard_kernels.h>
#include <optotorch/ops/cpu/scratch.h>
#include <optotorch/ops/hadamard_projection.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

namespace optotorch::ops {
namespace {

constexpr uint64_t stream = 3;  // the three before are those of random_projection
constexpr int64_t rounds = 3;

std::vector<uint32_t> sign_bits(int64_t n, int64_t seed, int64_t matrix) {
  std::vector<uint32_t> bits;
  const int64_t blocks = (n + 127) / 128;
  bits.reserve(static_cast<size_t>(rounds * blocks * 4));
  for (int64_t k = 0; k < rounds; ++k) {
    for (int64_t block = 0; block < blocks; ++block) {
      at::Philox4_32 engine(static_cast<uint64_t>(seed), stream,
                            static_cast<uint64_t>(rounds * matrix + k) << 32 | static_cast<uint64_t>(block));
      for (int64_t word = 0; word < 4; ++word) {
        bits.push_back(engine());
      }
    }
  }
  return bits;
}

at::Tensor hadamard_projection_cpu(const at::Tensor& x, int64_t rows, int64_t seed, int64_t first_row) {
  check_hadamard_projection(x, rows, first_row);
  const auto in = x.contiguous();
  const int64_t batch = x.size(0), columns = x.size(1), n = hadamard_size(columns);
  const int64_t words = (n + 127) / 128 * 4;
  auto y = at::empty({batch, rows}, x.options());
  if (batch == 0) {
    return y;
  }
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "hadamard_projection", [&] {
    const auto* from = in.const_data_ptr<scalar_t>();
    auto* to = y.mutable_data_ptr<scalar_t>();
    for (int64_t matrix = first_row / n; matrix * n < first_row + rows; ++matrix) {
      const auto bits = sign_bits(n, seed, matrix);
      // Rows of y that this matrix makes.
      const int64_t begin = std::max(first_row, matrix * n),
                    end = std::min(first_row + rows, (matrix + 1) * n);
      at::parallel_for(0, batch, 1, [&](int64_t first, int64_t last) {
        const auto v = scratch<scalar_t>(n);
        for (int64_t s = first; s < last; ++s) {
          std::copy(from + s * columns, from + (s + 1) * columns, v.get());
          std::fill(v.get() + columns, v.get() + n, scalar_t(0));
          for (int64_t k = 0; k < rounds; ++k) {
            walsh_hadamard(v.get(), n, bits.data() + k * words);
          }
          const auto scale = scalar_t(1) / static_cast<scalar_t>(n);
          std::transform(v.get() + begin - matrix * n, v.get() + end - matrix * n,
                         to + s * rows + begin - first_row,
                         [scale](scalar_t value) { return scale * value; });
        }
      });
    }
  });
  return y;
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("hadamard_projection", hadamard_projection_cpu);
}

}  // namespace
}  // namespace optotorch::ops
