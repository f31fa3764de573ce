#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace optotorch {

/// A seed for number `n` of a series that belongs to `seed`: as good as independent of all others.
int64_t seed_of_series(int64_t seed, uint64_t n);

/// Standard normal numbers of reading `number`: float32 [count], a pure function of (seed, number), drawn by all
/// threads.
at::Tensor reading_noise(int64_t seed, int64_t number, int64_t count);

}  // namespace optotorch
