#include <ATen/ATen.h>
#include <ATen/core/PhiloxRNGEngine.h>
#include <optotorch/ops/random_projection.h>
#include <torch/library.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>

namespace optotorch::ops {
namespace {

std::array<uint32_t, 4> block_of(int64_t seed, Entries entries, int64_t row, int64_t block) {
  at::Philox4_32 engine(static_cast<uint64_t>(seed), /*subsequence=*/static_cast<uint64_t>(entries),
                        static_cast<uint64_t>(row) << 32 | static_cast<uint64_t>(block));
  return {engine(), engine(), engine(), engine()};
}

std::pair<double, double> box_muller(uint32_t w0, uint32_t w1) {
  const double radius = std::sqrt(-2 * std::log((w0 + 0.5) * 0x1p-32));
  const double angle = 2 * std::numbers::pi * 0x1p-32 * w1;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

c10::complex<double> entry(int64_t seed, Entries entries, int64_t row, int64_t column) {
  if (entries == Entries::rademacher) {
    const auto words = block_of(seed, entries, row, column / 128);
    return words[static_cast<size_t>(column / 32 % 4)] >> (column % 32) & 1U ? -1 : 1;
  }
  const int64_t per_block = entries == Entries::normal ? 4 : 2;
  const auto words = block_of(seed, entries, row, column / per_block);
  const auto pair = static_cast<size_t>(entries == Entries::normal ? column % 4 / 2 : column % 2);
  const auto [a, b] = box_muller(words[2 * pair], words[2 * pair + 1]);
  if (entries == Entries::complex_normal) {
    return {a * std::numbers::sqrt2 / 2, b * std::numbers::sqrt2 / 2};
  }
  return column % 2 == 0 ? a : b;
}

}  // namespace

at::Tensor random_projection_reference(const at::Tensor& x, int64_t rows, int64_t seed, Entries entries,
                                       int64_t first_row) {
  check_random_projection(x, rows, entries, first_row);
  auto matrix = at::empty({rows, x.size(1)}, at::kComplexDouble);
  auto values = matrix.accessor<c10::complex<double>, 2>();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < x.size(1); ++j) {
      values[i][j] = entry(seed, entries, first_row + i, j);
    }
  }
  const auto y = x.to(at::kComplexDouble).mm(matrix.to(x.device()).t());
  const auto type = random_projection_type(x.scalar_type(), entries);
  return c10::isComplexType(type) ? y.to(type) : at::real(y).to(type);
}

namespace {

/// The matrix is made where the generator is.
at::Tensor random_projection_elsewhere(const at::Tensor& x, int64_t rows, int64_t seed, std::string_view kind,
                                       int64_t first_row) {
  const auto entries = entries_from(std::string(kind));
  check_random_projection(x, rows, entries, first_row);
  return random_projection(x.cpu(), rows, seed, entries, first_row).to(x.device());
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("random_projection", random_projection_elsewhere);
}

}  // namespace

}  // namespace optotorch::ops
