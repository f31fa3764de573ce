#pragma once

// Optical nonlinearities: each multiplies the field by a gain that depends on its own intensity,
//
//     y = G(|z|^2) z,      dL_dz = conj(G) g + 2 z Re(conj(g) z G'),      g = dL_dy, G' = dG/d|z|^2.
//
// Elementwise on complex64 or complex128 fields of any shape; differentiable by LibTorch's autograd.
// All throw c10::ValueError for a real field and for parameters outside their range.
//
// Their backward operators are differentiable too, by operators `..._double_backward`, which differentiate
// the reference face: second derivatives and any higher ones (docs/numerics.md).

#include <ATen/core/Tensor.h>

#include <tuple>

namespace optotorch::ops {

/// Electro-optic activation (Williamson et al. 2020, in the form of arXiv 2212.06141): a fraction `tap` of
/// the power drives an interferometer that modulates the rest,
///     G = sqrt(1 - tap) cos(p) e^{-i p},   p = (gain |z|^2 + bias) / 2.
/// tap in [0, 1); gain in radians per unit intensity; bias in radians; both finite.
at::Tensor electro_optic(const at::Tensor& field, double tap, double gain, double bias);
/// Returns dL_dfield.
at::Tensor electro_optic_backward(const at::Tensor& dL_dy, const at::Tensor& field, double tap, double gain,
                                  double bias);
/// Gradients at dL_dy and at the field of Re sum conj(v) electro_optic_backward(dL_dy, field).
std::tuple<at::Tensor, at::Tensor> electro_optic_double_backward(const at::Tensor& v, const at::Tensor& dL_dy,
                                                                 const at::Tensor& field, double tap,
                                                                 double gain, double bias);
/// The same function in LibTorch's operators, differentiable by its autograd.
at::Tensor electro_optic_reference(const at::Tensor& field, double tap, double gain, double bias);

/// Saturable absorber: G = exp(-(depth / 2) / (1 + |z|^2 / saturation)).
/// 0 <= depth < infinity is the optical depth of weak light, saturation > 0 an intensity.
at::Tensor saturable_absorber(const at::Tensor& field, double depth, double saturation);
/// Returns dL_dfield.
at::Tensor saturable_absorber_backward(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                       double saturation);
/// Gradients at dL_dy and at the field of Re sum conj(v) saturable_absorber_backward(dL_dy, field).
std::tuple<at::Tensor, at::Tensor> saturable_absorber_double_backward(const at::Tensor& v,
                                                                      const at::Tensor& dL_dy,
                                                                      const at::Tensor& field, double depth,
                                                                      double saturation);
/// The same function in LibTorch's operators, differentiable by its autograd.
at::Tensor saturable_absorber_reference(const at::Tensor& field, double depth, double saturation);

/// modReLU (Arjovsky et al. 2016): G = max(|z| + bias, 0) / |z|, G(0) = 0, with one real bias per last-axis
/// element.
at::Tensor mod_relu(const at::Tensor& field, const at::Tensor& bias);
/// Returns dL_dfield and dL_dbias.
std::tuple<at::Tensor, at::Tensor> mod_relu_backward(const at::Tensor& dL_dy, const at::Tensor& field,
                                                     const at::Tensor& bias);
/// Gradients at dL_dy, field and bias of Re sum conj(v_field) dL_dfield + sum v_bias dL_dbias.
std::tuple<at::Tensor, at::Tensor, at::Tensor> mod_relu_double_backward(const at::Tensor& v_field,
                                                                        const at::Tensor& v_bias,
                                                                        const at::Tensor& dL_dy,
                                                                        const at::Tensor& field,
                                                                        const at::Tensor& bias);
/// The same function in LibTorch's operators, differentiable by its autograd.
at::Tensor mod_relu_reference(const at::Tensor& field, const at::Tensor& bias);

/// @{
/// Throws as the operator does; for its faces. `where` is the operator's name in errors.
void check_electro_optic(const char* where, const at::Tensor& field, double tap, double gain, double bias);
void check_electro_optic_backward(const at::Tensor& dL_dy, const at::Tensor& field, double tap, double gain,
                                  double bias);
void check_electro_optic_double_backward(const at::Tensor& v, const at::Tensor& dL_dy,
                                         const at::Tensor& field, double tap, double gain, double bias);
void check_saturable_absorber(const char* where, const at::Tensor& field, double depth, double saturation);
void check_saturable_absorber_backward(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                       double saturation);
void check_saturable_absorber_double_backward(const at::Tensor& v, const at::Tensor& dL_dy,
                                              const at::Tensor& field, double depth, double saturation);
void check_mod_relu(const char* where, const at::Tensor& field, const at::Tensor& bias);
void check_mod_relu_backward(const at::Tensor& dL_dy, const at::Tensor& field, const at::Tensor& bias);
void check_mod_relu_double_backward(const at::Tensor& v_field, const at::Tensor& v_bias,
                                    const at::Tensor& dL_dy, const at::Tensor& field, const at::Tensor& bias);
/// @}

}  // namespace optotorch::ops
