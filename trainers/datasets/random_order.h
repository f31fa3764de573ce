#pragma once

// Counter-based random orders, shifts, flips and starts of windows of the data sets: pure functions of what
// they are called with.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace optotorch {

/// Use of a random number. Streams of one seed never share a Philox counter.
enum class RandomStream : uint64_t { order = 0, shift = 1, split = 2, flip = 3 };

/// A uniformly random permutation of 0 ... count - 1, int64 [count], 1 <= count < 2^32.
///
/// Fisher-Yates shuffle (Durstenfeld, CACM 7, 420, 1964) on Philox4x32-10 with key `seed` and counter words
/// (2^62 stream, epoch); the draws are unbiased (Lemire, arXiv:1805.10941). Throws c10::ValueError for
/// another count.
at::Tensor random_order(int64_t count, uint64_t seed, RandomStream stream, uint64_t epoch);

/// A shift of an image in pixels.
struct Shift {
  /// Down; negative: up.
  int64_t down = 0;
  /// To the right; negative: to the left.
  int64_t right = 0;
};

/// Both components uniform in -most ... most (up to a bias below 2 most / 2^32), independent: Philox4x32-10
/// with key `seed` and counter words (2^62 stream + sample, epoch). 0 <= most < 2^31.
Shift random_shift(int64_t most, uint64_t seed, uint64_t epoch, uint64_t sample);

/// True for one image in two: Philox4x32-10 with key `seed` and counter words (3 2^62 + sample, epoch).
bool random_flip(uint64_t seed, uint64_t epoch, uint64_t sample);

/// Seed of the generator that a sample < 2^61 is transformed with: Philox4x32-10 with key `seed` and counter
/// words (3 2^62 + 2^61 + sample, epoch).
uint64_t random_seed(uint64_t seed, uint64_t epoch, uint64_t sample);

/// Uniform in 0 ... count - 1 (up to a bias below count / 2^64), 1 <= count < 2^32: where window `window` <
/// 2^61 of an epoch begins. Philox4x32-10 with key `seed` and counter words (2^61 + window, epoch), which the
/// orders leave free.
int64_t random_start(int64_t count, uint64_t seed, uint64_t epoch, uint64_t window);

}  // namespace optotorch
