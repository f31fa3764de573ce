#pragma once

// Coefficients (a, b, p) of filter_bank's sections for the usual filters. Frequencies f and widths B are in cycles per
// sample; a filter's frequencies repeat at its free spectral range 1 / m, m its delay in samples.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch::ops {

/// Kinds of filters with centre frequency f_k and full width B at half maximum; their transmission at f_k is 1, but for
/// a ring's loss.
enum class FilterKind {
  /// A single pole, H = (1 - r) / (1 - r e^{2 pi i (f_k - f)}), r = exp(-pi B): to order B the Lorentzian
  /// 1 / (1 + 2 i (f - f_k) / B). Its delay is one sample.
  lorentzian,
  /// The drop port of a ring between two equal couplers, exactly: an amplitude A is left after a round trip of m
  /// samples, each coupler keeps t, t^2 = r / A,
  /// H = sqrt(A) (1 - t^2) / (1 - r e^{2 pi i m (f_k - f)}), without the delay of half a round trip, which no detector
  /// sees. r follows from B: |H|^2 has halved at B / 2. Its transmission at f_k is 1 without loss.
  ring,
  /// An interferometer of two arms, m samples apart: H = (1 + e^{2 pi i m (f_k - f)}) / 2. Its width is half its free
  /// spectral range.
  interferometer,
};
/// "lorentzian", ... in the order of the values.
const std::vector<std::string>& words(FilterKind);

/// Coefficients, complex128 [filters, 3], and their slopes by frequency and by width.
struct FilterCoefficients {
  at::Tensor values,  ///< (a, b, p) of every filter
      by_frequency,   ///< their slopes by its frequency
      by_width;       ///< their slopes by its width
};

/// Coefficients of filters with centre frequencies `frequency` and widths `width`, both float64 [filters]. `round_trip`
/// is A, above 0 and up to 1, of rings alone. Widths end where a filter cannot follow: a ring's r is at most A, and its
/// width at most the free spectral range; their slope is 0 there. Throws c10::ValueError for other shapes and types,
/// widths that are not positive, a `delay` below 1 or, of a lorentzian, other than 1, and a `round_trip` out of its
/// range.
FilterCoefficients filter_coefficients(FilterKind kind, const at::Tensor& frequency, const at::Tensor& width,
                                       int64_t delay = 1, double round_trip = 1);

}  // namespace optotorch::ops
