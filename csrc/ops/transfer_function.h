#pragma once

// The transfer functions of `free_space`: how plane waves change on their way from a window to a parallel one.
//
// A plane wave of the spatial frequencies (f_y, f_x) arrives as H times itself (exp(+i k z) convention; the
// phase exp(i k z) that all have in common is left out), with s = (lambda / n)^2 (f_y^2 + f_x^2), k = 2 pi n / lambda:
//
//     angular spectrum   H = exp(-i k z s / (1 + sqrt(1 - s))),  beyond s = 1 exp(-k z sqrt(s - 1) - i k z)
//     Fresnel            H = exp(-i k z s / 2)
//
// On a grid of P points a side, spacing d, H is sampled well up to the critical distance z_c = P d^2 n / lambda,
// its impulse response h beyond it. Hence the ways to sample it:
//
//     cropped        H on a grid up to 18 times the window; of h the lags between the two windows, and of those the
//                    transform: right at every distance, on the smallest grid that a linear convolution takes
//     plain          H as it is, on a grid `padding` times the window: wrong beyond z_c
//     band_limited   the same, 0 where H is undersampled, |f| > 1 / (lambda sqrt((2 z / (P d))^2 + 1)):
//                    Matsushima and Shimobaba, Opt. Express 17, 19662 (2009)
//
// The Rayleigh-Sommerfeld integral is sampled in space, h = z (1 / r - i k) exp(i k (r - z)) d^2 / (2 pi r^2), which
// is wrong before z_c.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace optotorch::ops {

/// Forms of the diffraction integral; formulas stand at the top of this header.
enum class Propagation { angular_spectrum, fresnel, rayleigh_sommerfeld };
/// Ways to sample H; rayleigh_sommerfeld, whose kernel is sampled in space, needs none.
enum class Sampling {
  cropped,      ///< transform of the kernel's lags between the windows: right at every distance
  plain,        ///< H itself: wrong beyond the grid's critical distance
  band_limited  ///< H where it is sampled finely enough, else 0
};

/// "angular_spectrum", ... in the order of the values.
const std::vector<std::string>& words(Propagation);
/// "cropped", ... in the order of the values.
const std::vector<std::string>& words(Sampling);

/// A hop. Lengths are metres. Windows are centred on each other but for the offset.
struct HopGeometry {
  double wavelength = 0;                                    ///< in vacuum
  double distance = 0;                                      ///< 0 is allowed, but not for rayleigh_sommerfeld
  double spacing = 0;                                       ///< of the samples, in both windows
  double refractive_index = 1;                              ///< n of the medium, at least 1
  std::array<int64_t, 2> input{};                           ///< rows, columns
  std::array<int64_t, 2> output{};                          ///< rows, columns
  std::array<double, 2> offset{};                           ///< of the output window: down, right
  Propagation propagation = Propagation::angular_spectrum;  ///< form of the diffraction integral
  Sampling sampling = Sampling::cropped;                    ///< of H
  int64_t padding = 2;  ///< of a sampling that is not cropped; 1: a periodic field

  /// Throws c10::ValueError, in the name of `where`, for lengths that are not positive and finite (a distance may be 0,
  /// but not for rayleigh_sommerfeld), an offset that is not finite, windows without samples or beyond 2^14 a side,
  /// padding outside 1 to 64, an index below 1.
  void check(const std::string& where) const;
  /// True if waves that die out are sampled, too: a spacing below half a wavelength.
  bool samples_evanescent_waves() const { return spacing < wavelength / refractive_index / 2; }
};

/// T, complex128 [padded height, padded width], for `free_space`.
at::Tensor transfer_function(const HopGeometry& hop);

/// T = T_y T_x^T of a Fresnel hop, complex128, and how its factors change.
struct SeparableTransfer {
  std::array<at::Tensor, 2> factor;       ///< [padded height], [padded width]
  std::array<at::Tensor, 2> by_distance;  ///< by metres of distance
  std::array<at::Tensor, 2> by_offset;    ///< each by metres of its offset
};

/// The factors of a cropped Fresnel hop, whatever `hop` says of either. A distance that changes costs transforms
/// of single rows.
SeparableTransfer separable_transfer(const HopGeometry& hop);

/// The cropped Fresnel hop as matrices of its sides, K_y and K_x of `separable_hop`, complex128 [outputs, inputs].
/// Without an offset, where the windows' sizes differ by an even number, each is the same turned by half a circle,
/// to the bit.
std::array<at::Tensor, 2> hop_matrices(const HopGeometry& hop);

/// One axis of a Fresnel hop as a matrix, complex128 [outputs, inputs], y = K_y x K_x^T:
///
///     K_ij = d sum_f exp(-i pi lambda z f^2 + 2 pi i f (v_i - u_j)) df,     |f| < 1 / (2 d)
///
/// v_i, u_j: places of the samples on both planes, metres, float64; d the inputs' spacing. Spacings, offset,
/// magnification and a tilt (through the places) enter by `outputs`, which may require grad, as may the distance.
at::Tensor paraxial_matrix(const at::Tensor& outputs, const at::Tensor& inputs, double spacing,
                           const at::Tensor& distance, double wavelength);

/// The same in the far field, and from the front to the back focal plane of a lens of the focal length `distance`:
///
///     K_ij = d / sqrt(i lambda z) exp(-2 pi i v_i u_j / (lambda z))
///
/// A distance must be more than 0; a phase exp(i pi v^2 / (lambda z)) on the outputs is left out.
at::Tensor fraunhofer_matrix(const at::Tensor& outputs, const at::Tensor& inputs, double spacing,
                             const at::Tensor& distance, double wavelength);

/// The smallest size of at least n that transforms well: factors 2, 3 and 5, from 8 on a multiple of 4 (MKL needs up
/// to twice the time for others).
int64_t transform_size(int64_t n);

}  // namespace optotorch::ops
