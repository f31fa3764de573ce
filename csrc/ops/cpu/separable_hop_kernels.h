#pragma once

// Between separable_hop's CPU face (matrices, threads) and its SIMD kernel (rows of numbers).

#include <cstdint>

namespace optotorch::ops {

/// Rows of even and of odd columns: a line of n complex numbers has n - n / 2 and n / 2.
template <typename T>
struct Halves {
  T *even, *odd;
};

/// A row of the product of complex numbers by a complex matrix: value = top + i bottom. Of a folded one the even
/// columns come first.
template <typename T>
struct Product {
  const T *top, *bottom;
};

/// Sums and differences of a row pair, upper + lower and upper - lower, and of their columns c and n - 1 - c; a middle
/// column stands among the even ones as it is. n complex numbers, interleaved.
void fold(const float* upper, const float* lower, int64_t n, Halves<float> sum, Halves<float> difference);
void fold(const double* upper, const double* lower, int64_t n, Halves<double> sum, Halves<double> difference);

/// The row pair even + odd, even - odd, with its columns unfolded likewise.
void unfold(Product<float> even, Product<float> odd, int64_t n, float* upper, float* lower);
void unfold(Product<double> even, Product<double> odd, int64_t n, double* upper, double* lower);

/// y = top + i bottom of n complex numbers.
void join(Product<float> product, int64_t n, float* y);
void join(Product<double> product, int64_t n, double* y);

}  // namespace optotorch::ops
