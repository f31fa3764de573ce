#pragma once

#include <optotorch/modules/laboratory/chips/chip.h>

#include <vector>

namespace optotorch {

/// Many chips of one layout as one stack, which ops::mzi_mesh takes with x [batch, chips, ports], so that one
/// call sends light through all of them:
///
///     y[:, c] = mzi_mesh(x[:, c], chips[c].realise(commanded of chip c))
///
/// `commanded` holds theta and phi [chips, mzis] and, with a screen, gamma [chips, ports]; without the
/// leading dimension, [mzis] and [ports], all chips get the same command. float32 or float64. What comes back
/// has the leading dimension and type and device of the command; splitter errors and transmissions are there
/// if any chip has them. Throws c10::ValueError for no chips, other layouts than the first's, and other
/// shapes.
ops::MeshTensors realise(const std::vector<Chip>& chips, const ops::MeshTensors& commanded);

}  // namespace optotorch
