#pragma once

// Light between two windows of parallel planes whose way is one matrix a side, as a paraxial (Fresnel) hop is:
//
//     y = K_y x K_x^T
//
// The matrices are `hop_matrices`, `paraxial_matrix` or `fraunhofer_matrix` (transfer_function.h), or any others. y is
// linear in each of the three, and the adjoint is the same operator with K^H:
//
//     dL_dx = K_y^H g conj(K_x),     dL_dK_y = sum g (x K_x^T)^H,     dL_dK_x = sum g^T conj(K_y x)
//
// A matrix that is the same turned by half a circle, K_ij = K_(m-1-i)(n-1-j), as that of every hop between centred
// windows of one size is, maps even fields to even ones and odd to odd: where all are, they meet the halves of a
// field, at half the cost. Up to some 450 samples a side that is less work than the transforms of `free_space`.
// Fields and matrices are taken to be finite. Products of float32 have the precision that LibTorch is set to.

#include <ATen/core/Tensor.h>

#include <tuple>

namespace optotorch::ops {

/// y [batch, planes, height, width] of a field x [batch, planes, rows, columns], complex64 or complex128, by `down`
/// [height, rows] and `across` [width, columns] of the same type, or one for every plane [planes, ...]. Throws
/// c10::ValueError for other types and shapes.
at::Tensor separable_hop(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across);

/// Gradients at the field and at both matrices, those at the matrices only if wanted, else without elements; that at
/// the field likewise. Differentiable as often as wanted.
std::tuple<at::Tensor, at::Tensor, at::Tensor> separable_hop_backward(
    const at::Tensor& dL_doutput, const at::Tensor& field, const at::Tensor& down, const at::Tensor& across,
    bool to_field = true, bool to_matrices = true);

/// The meaning, in plain ATen operators.
at::Tensor separable_hop_reference(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across);

/// Throws as `separable_hop` does; for its faces.
void check_separable_hop(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across);

}  // namespace optotorch::ops
