#pragma once

// A mesh whose MZIs are any unitary 2x2 matrices: what a matrix is decomposed into, before its phases are
// moved to where a layout has shifters.

#include <ATen/core/Tensor.h>
#include <optotorch/mesh/mesh_phases.h>
#include <optotorch/ops/mesh_layout.h>

#include <complex>
#include <vector>

namespace optotorch::detail {

using Complex = std::complex<double>;
inline constexpr Complex i{0, 1};

// std::complex's own product asks for NaN after every multiplication, which no loop here can afford.
inline Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// z / |z|. Far below every rounding error a magnitude is no longer accurate to its last bits (it becomes
// denormal), and the quotient would not have magnitude 1: such a z counts as 0, whose phase is 0.
inline Complex unit(Complex z) {
  const double magnitude = std::abs(z);
  return magnitude < 1e-290 ? Complex(1) : z / magnitude;
}

/// A 2x2 complex matrix, row-major, on the column vector [upper, lower].
struct Matrix2 {
  Complex uu, ul, lu, ll;
};

/// y = diag(output) C_{K-1} ... C_0 diag(input) x, with any unitary 2x2 at every MZI of a layout.
struct BlockMesh {
  explicit BlockMesh(const MeshLayout& layout)
      : blocks(layout.mzis()), input(layout.ports, 1), output(layout.ports, 1) {}

  std::vector<Matrix2> blocks;
  std::vector<Complex> input, output;
  Complex idle = 1;
};

/// Number of the first MZI of every column.
inline std::vector<int64_t> column_starts(const MeshLayout& layout) {
  std::vector<int64_t> starts(layout.columns + 1, 0);
  for (int64_t column = 0; column < layout.columns; ++column) {
    starts[column + 1] = starts[column] + layout.pairs(column);
  }
  return starts;
}

/// The blocks that realise a unitary on a universal layout, by nulling; complex128 [ports, ports],
/// contiguous, on the CPU. Idle ports are wires. Nothing is checked.
BlockMesh null_unitary(const at::Tensor& unitary, const MeshLayout& layout);

/// The phases with which a mesh of that layout realises what the blocks do. Phases that the layout cannot
/// hold at its MZIs are swept to the screen: towards the input if phi sits on the output arms, towards the
/// output otherwise. The blocks must be unitary. Nothing is checked.
MeshPhases settle(const BlockMesh& mesh, const MeshLayout& layout);

/// The matrix that the blocks realise, complex128 [ports, ports]. Time O(ports^2 columns).
at::Tensor matrix_of(const BlockMesh& mesh, const MeshLayout& layout);

}  // namespace optotorch::detail
