#pragma once

// Between hadamard_projection's CPU face (tensors, threads) and its SIMD kernel (pointers).

#include <cstdint>

namespace optotorch::ops {

/// v <- H D v in place: signs, then butterflies. `size` a power of two from 16 on, v aligned to 64 bytes, a
/// bit of `signs` for every value.
void walsh_hadamard(float* v, int64_t size, const uint32_t* signs);
void walsh_hadamard(double* v, int64_t size, const uint32_t* signs);

}  // namespace optotorch::ops
