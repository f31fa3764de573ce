#pragma once

// Spectral filters on a waveform, each with a photodiode behind it that is read once a window.
//
// A filter is `order` equal sections in a row, whose delay of m samples is the round trip of a ring or the longer arm
// of an interferometer:
//
//     v[n] = a u[n] + b u[n - m] + p v[n - m],      H(f) = ((a + b z) / (1 - p z))^order,  z = exp(-2 pi i f m)
//
// with f in cycles per sample and everything dark before the first sample. a, b, p of the usual filters:
// filter_coefficients.h. The photodiode's current |v|^2 passes
//
//     low-pass:             w[n] = q w[n - 1] + (1 - q) |v[n]|^2,      y = w at the last sample of every window
//     integrate and dump:   y = mean of |v|^2 over the window
//
// Frequencies are those of signal processing: a wave exp(+2 pi i f n) has the frequency f.
//
// The waveform is passed once, in pieces that stay in the cache, for all filters; no filtered waveform is stored. The
// pull-back runs backwards over the pieces and filters each again from what was kept at its beginning.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

namespace optotorch::ops {

/// Numbers that a bank's filters share.
struct FilterBankLayout {
  int64_t order = 1;   ///< sections of a filter, 1 to 16
  int64_t delay = 1;   ///< m, 1 to 4096 samples
  int64_t window = 1;  ///< samples between two readings, 1 to 2^24
  /// q of the low-pass, 0 to below 1; `integrate_and_dump`: the mean of the window.
  double memory = integrate_and_dump;

  /// Value of `memory` for the mean of the window, without a low-pass.
  static constexpr double integrate_and_dump = -1;

  /// Throws c10::ValueError, in the name of `filter_bank`, for numbers out of their ranges.
  void check() const;
};

/// y [batch, filters, windows], real, of a waveform x [batch, samples], complex64 or complex128, by coefficients
/// [filters, 3] = (a, b, p) of the same type. Samples behind the last whole window count for nothing. Throws
/// c10::ValueError for other types and shapes, and for a waveform that is shorter than a window.
///
/// A pole with |p| >= 1 is computed as it is, and grows.
at::Tensor filter_bank(const at::Tensor& waveform, const at::Tensor& coefficients,
                       const FilterBankLayout& layout);

/// Gradients at the waveform and at the coefficients, each if it is wanted and without elements if not.
std::tuple<at::Tensor, at::Tensor> filter_bank_backward(const at::Tensor& dL_dy, const at::Tensor& waveform,
                                                        const at::Tensor& coefficients,
                                                        const FilterBankLayout& layout,
                                                        bool to_waveform = true, bool to_coefficients = true);

/// Gradients at dL_dy, waveform and coefficients of Re sum conj(v) filter_bank_backward; a v that is left out is 0.
std::tuple<at::Tensor, at::Tensor, at::Tensor> filter_bank_double_backward(
    const std::optional<at::Tensor>& v_waveform, const std::optional<at::Tensor>& v_coefficients,
    const at::Tensor& dL_dy, const at::Tensor& waveform, const at::Tensor& coefficients,
    const FilterBankLayout& layout);

/// The meaning, in plain ATen operators: impulse responses by FFT.
at::Tensor filter_bank_reference(const at::Tensor& waveform, const at::Tensor& coefficients,
                                 const FilterBankLayout& layout);

/// Responses of all filters for a waveform u of `count` samples, complex [filters, 2 count]: the first `count` samples
/// of v = ifft(response fft(u)), u padded with zeros to 2 count, are those of the recursion.
at::Tensor filter_responses(const at::Tensor& coefficients, const FilterBankLayout& layout, int64_t count);

/// @{
/// Throws as the operator does; for its faces.
void check_filter_bank(const at::Tensor& waveform, const at::Tensor& coefficients,
                       const FilterBankLayout& layout);
void check_filter_bank_backward(const at::Tensor& dL_dy, const at::Tensor& waveform,
                                const at::Tensor& coefficients, const FilterBankLayout& layout);
void check_filter_bank_double_backward(const std::optional<at::Tensor>& v_waveform,
                                       const std::optional<at::Tensor>& v_coefficients,
                                       const at::Tensor& dL_dy, const at::Tensor& waveform,
                                       const at::Tensor& coefficients, const FilterBankLayout& layout);
/// @}

}  // namespace optotorch::ops
