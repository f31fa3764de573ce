#pragma once

// Optical nonlinearities: each multiplies the field by a gain that depends on its own intensity,
//
//     y = G(|z|^2) z,      dL_dz = conj(G) g + 2 z Re(conj(g) z G'),      g = dL_dy, G' = dG/d|z|^2.
//
// Elementwise on complex64 or complex128 fields of any shape; differentiable by LibTorch's autograd.
// All throw c10::ValueError for a real field and for parameters outside their range.

#include <ATen/core/Tensor.h>

#include <tuple>

namespace optotorch::ops {

/// Electro-optic activation (Williamson et al. 2020, in the form of arXiv 2212.06141): a fraction `tap` of
/// the power drives an interferometer that modulates the rest,
///     G = sqrt(1 - tap) cos(p) e^{-i p},   p = (gain |z|^2 + bias) / 2.
/// tap in [0, 1); gain in radians per unit intensity; bias in radians.
at::Tensor electro_optic(const at::Tensor& field, double tap, double gain, double bias);
at::Tensor electro_optic_backward(const at::Tensor& dL_dy, const at::Tensor& field, double tap, double gain,
                                  double bias);
at::Tensor electro_optic_reference(const at::Tensor& field, double tap, double gain, double bias);

/// Saturable absorber: G = exp(-(depth / 2) / (1 + |z|^2 / saturation)).
/// depth >= 0 is the optical depth of weak light, saturation > 0 an intensity.
at::Tensor saturable_absorber(const at::Tensor& field, double depth, double saturation);
at::Tensor saturable_absorber_backward(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                       double saturation);
at::Tensor saturable_absorber_reference(const at::Tensor& field, double depth, double saturation);

/// modReLU (Arjovsky et al. 2016): G = max(|z| + bias, 0) / |z|, G(0) = 0, with one real bias per last-axis
/// element.
at::Tensor mod_relu(const at::Tensor& field, const at::Tensor& bias);
/// Returns dL_dfield and dL_dbias.
std::tuple<at::Tensor, at::Tensor> mod_relu_backward(const at::Tensor& dL_dy, const at::Tensor& field,
                                                     const at::Tensor& bias);
at::Tensor mod_relu_reference(const at::Tensor& field, const at::Tensor& bias);

}  // namespace optotorch::ops
