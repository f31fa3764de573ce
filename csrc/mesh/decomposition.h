#pragma once

// Any unitary matrix as the phases of a mesh, and back.
//
// decompose() nulls the matrix element by element with 2x2 unitaries on neighbouring ports: along
// antidiagonals, alternately from the right and from the left, for the rectangular grid (Clements et al.,
// Optica 3, 1460, 2016), row by row from the right for the triangular one (Reck et al., PRL 73, 58, 1994).
// The rest is diagonal, and one sweep through the columns then moves every phase to where the layout has
// a shifter. Elements that are zero already, exactly or nearly, need no special input: every rotation is
// computed from ratios, so permutations, block-diagonal matrices and the identity are as good as any other
// matrix.

#include <ATen/core/Tensor.h>
#include <optotorch/mesh/mesh_phases.h>
#include <optotorch/ops/mesh_layout.h>

namespace optotorch {

/// The phases with which a universal mesh realises y = U x, for U complex128, complex64, float64 or float32
/// [ports, ports]; a real one is orthogonal.
///
/// Time O(ports^3). max |reconstruct(decompose(U)) - U| is about 1e-14 for a U that is unitary to rounding;
/// if U is not quite unitary, the mesh realises a unitary as near to it as its deviation. Where an
/// MZI comes out exactly in its bar or cross state, its phi could be anything, and is 0.
/// Throws c10::ValueError unless layout.columns == MeshLayout::universal_columns(grid, ports), U has that
/// shape and type, is finite, and max |U U^H - 1| <= 1e-6 (complex64 and float32: 1e-4).
/// The phases are float64, theta in [0, pi], phi and gamma in [0, 2 pi).
MeshPhases decompose(const at::Tensor& unitary, const MeshLayout& layout);

/// The matrix U of y = U x, complex128 [ports, ports], that an ideal mesh with these phases realises.
///
/// Any layout, universal or not; phases float32 or float64; no gamma is no screen. The inverse of
/// decompose(). Time O(ports^2 columns). Throws c10::ValueError for shapes or types that do not match and for
/// NaN or infinite phases.
at::Tensor reconstruct(const MeshPhases& phases, const MeshLayout& layout);

/// The phases with which `to` realises the unitary that `from` realises with `phases`.
///
/// Where both have the same grid and columns, universal or not, only phases are moved: time O(mzis), exact to
/// rounding. Otherwise both must be universal, and the unitary is decomposed anew.
/// Throws c10::ValueError if the ports differ, or the columns and grids do and a layout is not universal, and
/// whatever reconstruct() throws.
MeshPhases convert(const MeshPhases& phases, const MeshLayout& from, const MeshLayout& to);

}  // namespace optotorch
