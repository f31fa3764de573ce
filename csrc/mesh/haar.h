#pragma once

// Random unitary matrices, and the phases of meshes that realise them.
//
// haar_phases() uses that the splitting ratios of a Haar-random mesh are independent (Russell et al., New J.
// Phys. 19, 033007, 2017): an MZI crosses over the power w^{1 / rank}, with w uniform between 0 and 1.

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <optotorch/mesh/decomposition.h>

#include <optional>

namespace optotorch {

/// A Haar-random unitary, complex128 [ports, ports]: QR of a complex Gaussian matrix, the diagonal of R made
/// positive (Mezzadri, Notices AMS 54, 592, 2007). Draws from `generator`, else from the CPU's default one
/// (torch::manual_seed). Throws c10::ValueError unless ports >= 1.
at::Tensor haar_unitary(int64_t ports, std::optional<at::Generator> generator = std::nullopt);

/// Random phases with which a mesh realises a Haar-random unitary. Time O(mzis).
///
/// phi and gamma are uniform on [0, 2 pi); theta follows the rank of the MZI in column c on ports (p, p + 1):
///     triangular:   p + 1
///     rectangular:  min(2 c + 1, 2 (k - c) - 1, 2 p + 2, 2 (ports - p) - 2),   k = min(columns, ports)
/// For universal layouts the unitary is exactly Haar-distributed. So it is for a rectangular mesh of more
/// columns, where c is taken modulo `ports`: the first `ports` columns alone make the product Haar. A mesh of
/// fewer columns cannot be Haar; it takes the same ranks, for want of a law.
/// Draws from `generator`, else from the CPU's default one. Throws c10::ValueError for a wrong layout.
MeshPhases haar_phases(const MeshLayout& layout, std::optional<at::Generator> generator = std::nullopt);

}  // namespace optotorch
