#include <ATen/ATen.h>
#include <optotorch/modules/optics/detail/reading_noise.h>
#include <optotorch/ops/random_projection.h>

namespace optotorch {
namespace {

/// SplitMix64 (Steele et al. 2014).
uint64_t mixed(uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

constexpr int64_t in_a_block = 4;  // normal entries of one Philox block

}  // namespace

int64_t seed_of_series(int64_t seed, uint64_t n) {
  return static_cast<int64_t>(mixed(mixed(static_cast<uint64_t>(seed)) + n));
}

at::Tensor reading_noise(int64_t seed, int64_t number, int64_t count) {
  if (count == 0) {
    return at::empty({0}, at::kFloat);
  }
  const int64_t rows = (count + in_a_block - 1) / in_a_block;
  // The product with the identity is the matrix itself, made by vectors of entries.
  return ops::random_projection(at::eye(in_a_block, at::kFloat), rows,
                                seed_of_series(seed, static_cast<uint64_t>(number)))
      .flatten()
      .narrow(0, 0, count);
}

}  // namespace optotorch
