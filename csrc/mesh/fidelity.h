#pragma once

#include <ATen/core/Tensor.h>

namespace optotorch {

/// How alike two matrices are, from 0 (orthogonal to each other) to 1 (equal but for a factor):
///
///     F(U, V) = |tr(U^H V)|^2 / (tr(U^H U) tr(V^H V))
///
/// For a unitary U [n, n] that is |tr(U^H V) / sqrt(n tr(V^H V))|^2, by which Clements et al. (Optica 3,
/// 1460, 2016) compare the matrix V of a mesh with the intended U: neither a common phase nor a loss that all
/// paths share counts. Computed in float64.
///
/// U and V: real or complex, floating, of equal shape [rows, columns]. Throws c10::ValueError for others, for
/// values that are not finite, and for a matrix of zeros, which is like nothing.
double fidelity(const at::Tensor& u, const at::Tensor& v);

}  // namespace optotorch
