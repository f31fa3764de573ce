#pragma once

// Phases and errors of meshes as they are published with arXiv 2212.06141: a folder of NumPy files
// mesh0_theta.npy, mesh0_phi.npy, ..., mesh1_theta.npy, ..., each [columns, slots] with ports / 2 slots a
// column. Slots beyond a column's MZIs are not used and not looked at.

#include <optotorch/mesh/mesh_phases.h>
#include <optotorch/modules/laboratory/chips/chip.h>

#include <string>
#include <vector>

namespace optotorch {

/// The elements of `slots` [columns, ports / 2] in the order of a mesh, [mzis]. Throws c10::ValueError for
/// another shape.
at::Tensor in_mesh_order(const at::Tensor& slots, const MeshLayout& layout);

/// Its inverse: the elements of `values` [mzis] as slots [columns, ports / 2], zero where there is no MZI.
/// Throws c10::ValueError for another shape.
at::Tensor in_slots(const at::Tensor& values, const MeshLayout& layout);

/// The weights of mesh `number` in a folder: mesh{number}_theta.npy, mesh{number}_phi.npy, and
/// mesh{number}_gamma.npy, [ports] or [1, ports], without which there is no screen. float64, radians. Throws
/// c10::ValueError, naming the file, if it is absent, damaged, of another shape or not finite, or if the
/// folder has a `layouts.json` which says that mesh `number` is of another layout.
MeshPhases import_phases(const std::string& folder, const MeshLayout& layout, int64_t number);

/// Writes the weights of meshes for import_phases, one for each layout, as float64: mesh0_theta.npy,
/// mesh0_phi.npy, mesh0_gamma.npy [ports] where there is a screen, mesh1_theta.npy, ..., and the layouts as
/// `layouts.json`. The folder is new or empty before, and afterwards holds either all of them or nothing.
/// Throws c10::ValueError for phases that do not fit the layouts, a folder that holds something, and if
/// writing fails.
void export_phases(const std::string& folder, const std::vector<MeshLayout>& layouts,
                   const std::vector<MeshPhases>& phases);

/// Chips with the errors that stand in these folders together, one for each layout; chip k has the seed
/// `seed` + k. A folder holds, for every mesh, the splitter errors mesh{k}_splitter_left.npy and
/// mesh{k}_splitter_right.npy, or the phase errors mesh{k}_theta.npy and mesh{k}_phi.npy in radians, or both;
/// errors that no folder holds are 0, and nothing is lost. Of `imperfections` crosstalk, phase_bits, drift
/// and noise are used.
///
/// Throws c10::ValueError, naming folder or file, for no layouts, a folder without any such file, errors of
/// one kind in two folders, a file that is absent, damaged, of another shape or not finite, and more meshes
/// than layouts.
std::vector<Chip> import_chips(const std::vector<std::string>& folders,
                               const std::vector<MeshLayout>& layouts,
                               const Imperfections& imperfections = {}, int64_t seed = 0);

}  // namespace optotorch
