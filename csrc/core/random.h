#pragma once

// Counter-based random numbers: the n-th number of a stream is a pure function of (seed, stream, n), so that
// results do not depend on tiling, threads, or a run's interruption. The generator is ATen's Philox 4x32-10
// (Salmon et al. 2011).

#include <ATen/core/PhiloxRNGEngine.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace optotorch {

/// Uniform in (0, 1), with 32 bits.
inline double uniform(at::Philox4_32& engine) {
  return (engine() + 0.5) * 0x1p-32;
}

/// Two independent standard normal numbers: the pair `counter` of stream `stream`. Tails reach 6.7
/// deviations.
inline std::array<double, 2> normal_pair(uint64_t seed, uint64_t stream, uint64_t counter) {
  at::Philox4_32 engine(seed, stream, counter);
  const double radius = std::sqrt(-2 * std::log(uniform(engine)));
  const double angle = 2 * std::numbers::pi * uniform(engine);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace optotorch
