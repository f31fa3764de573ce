#pragma once

// Meshes as other packages write them: a list of interferometers, each with a mode and two phases.

#include <optotorch/mesh/mesh_phases.h>
#include <optotorch/ops/mesh_layout.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// Meaning of theta and phi of one interferometer: the matrix T of y = T x on the column vector [upper,
/// lower]. With s = sin(theta / 2), c = cos(theta / 2), p = e^{i phi}:
enum class MziConvention {
  /// [[p cos(theta), -sin(theta)], [p sin(theta), cos(theta)]]. StrawberryFields: `T` of
  /// decompositions.rectangular_phase_end, Clements et al. 2016.
  strawberry_fields,
  /// i e^{i theta / 2} [[p s, c], [p c, -s]]. StrawberryFields: MZgate(theta, phi),
  /// decompositions.mach_zehnder and
  /// rectangular_symmetric.
  strawberry_fields_mz,
  /// i [[p s, p c], [c, -s]], the MZI of this library. neurophox: a mesh of the basis "bloch", the default.
  /// Its fields
  /// are rows, V_out = V_in U: y = T x holds the transposed of its MZI.matrix, and of the mesh's matrix.
  neurophox,
  /// [[p c, i p s], [i s, c]]. neurophox with hadamard=True.
  neurophox_hadamard,
  /// e^{i theta / 2} times the two above. neurophox with basis "sm".
  neurophox_single_mode,
  neurophox_single_mode_hadamard,
  /// i e^{i theta / 2} [[p s, c], [p c, -s]]. Perceval: catalog["mzi phase first"], theta = phi_b, phi =
  /// phi_a.
  perceval_phase_first,
  /// i e^{i theta / 2} [[-s, c], [p c, p s]]. Perceval: catalog["mzi phase last"], theta = phi_a, phi =
  /// phi_b.
  perceval_phase_last,
};

/// "strawberryfields", "strawberryfields-mz", "neurophox", "neurophox-hadamard", "neurophox-single-mode",
/// "neurophox-single-mode-hadamard", "perceval-phase-first", "perceval-phase-last".
std::string to_string(MziConvention convention);
/// The inverse of to_string; throws c10::ValueError with the known names.
MziConvention mzi_convention(const std::string& name);

/// An interferometer on the ports (mode, mode + 1); phases in radians.
struct MziSetting {
  int64_t mode = 0;  ///< the upper port, from 0
  double theta = 0,  ///< divides the light between the ports (MziConvention)
      phi = 0;       ///< phase of one port, before or behind theta (MziConvention)
};

/// A circuit. Light meets the phases of `input`, then the interferometers from first to last, then the phases
/// of `output`.
struct MziList {
  MziConvention convention = MziConvention::strawberry_fields;  ///< of all its interferometers
  int64_t ports = 2;                                            ///< at least 2
  std::vector<MziSetting> mzis = {};                            ///< in the order in which light meets them
  std::vector<double> input = {},  ///< before the interferometers: radians, one a port; empty: none
      output = {};                 ///< behind them: radians, one a port; empty: none
  /// A port in a column where it has no interferometer, each standing in the earliest column c
  /// with mode - c even. neurophox (bloch, no hadamard, an even number of
  /// ports) has `bar`: factor -i.
  IdlePort idle_port = IdlePort::wire;
};

/// The matrix of y = U x, complex128 [ports, ports]. Throws c10::ValueError, naming the interferometer, for
/// modes beyond the ports, phases that are not finite, and input or output phases of another number than the
/// ports.
at::Tensor matrix_of(const MziList& list);

/// The phases with which a mesh of this layout realises matrix_of(list).
///
/// Where every interferometer has its place in the layout's columns, the grid being rectangular, only phases
/// are moved, exact to rounding. Otherwise the layout must be universal, and the matrix is decomposed. Throws
/// c10::ValueError as matrix_of() does, for other ports, and for a layout that is neither.
MeshPhases import_mzi_list(const MziList& list, const MeshLayout& layout);

}  // namespace optotorch
