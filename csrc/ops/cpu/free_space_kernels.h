#pragma once

// Between free_space's CPU face (tensors, threads) and its SIMD kernel (pointers).

#include <cstdint>

namespace optotorch::ops {

/// A number of a field. Products of these need no rules for infinities.
template <typename T>
struct Complex {
  T re, im;
};

/// to[c][r] = from[r][c] for `rows` x `columns` numbers in lines of the given pitches.
void transpose(const Complex<float>* from, int64_t from_pitch, Complex<float>* to, int64_t to_pitch,
               int64_t rows, int64_t columns);
void transpose(const Complex<double>* from, int64_t from_pitch, Complex<double>* to, int64_t to_pitch,
               int64_t rows, int64_t columns);

/// x[n] *= by[n]
void multiply(Complex<float>* x, const Complex<float>* by, int64_t count);
void multiply(Complex<double>* x, const Complex<double>* by, int64_t count);

}  // namespace optotorch::ops
