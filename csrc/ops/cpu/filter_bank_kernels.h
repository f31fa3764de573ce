#pragma once

// Between filter_bank's CPU face (tensors, threads) and its SIMD kernel (pointers).

#include <optotorch/ops/filter_bank.h>

#include <cstdint>

namespace optotorch::ops {

/// Waveforms that are filtered together, one a lane.
inline constexpr int64_t filter_tile = 16;

/// At most filter_tile waveforms and the bank; complex numbers are pairs.
template <typename T>
struct FilterTile {
  FilterBankLayout layout;
  int64_t filters = 0, windows = 0;
  const T* coefficients = nullptr;  ///< [filters][3] complex
  const T* waveforms = nullptr;     ///< [count][pitch] complex
  int64_t count = 0, pitch = 0;
};

/// y [count][filters][windows].
void filter_forward(const FilterTile<float>& tile, float* y);
void filter_forward(const FilterTile<double>& tile, double* y);

/// dL_dx [count][pitch] complex, of which samples behind the last window are left as they are, and sums over the tile
/// of dL_d(a, b, p), [filters][3] complex. Either may be null.
void filter_backward(const FilterTile<float>& tile, const float* dL_dy, float* dL_dx,
                     double* dL_dcoefficients);
void filter_backward(const FilterTile<double>& tile, const double* dL_dy, double* dL_dx,
                     double* dL_dcoefficients);

}  // namespace optotorch::ops
