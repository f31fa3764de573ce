#pragma once

#include <ATen/core/Tensor.h>
#include <optotorch/modules/laboratory/chips/imperfections.h>
#include <optotorch/ops/mesh_layout.h>

#include <numbers>

namespace optotorch {

/// Period of an MZI's theta: theta + 2 pi negates both its outputs (ops/mzi_mesh.h).
inline constexpr double theta_period = 4 * std::numbers::pi;
/// Period of every other phase.
inline constexpr double phi_period = 2 * std::numbers::pi;

/// The phases that heaters deliver when `commanded` [..., mzis], radians, all theta or all phi, is asked of
/// them: without crosstalk and phase_bits `commanded` itself, else float64,
///
///     p     = commanded mod period                      in [0, period)
///     q_i   = step round(p_i / step) mod period         step = 2 pi / 2^phase_bits; without bits p_i
///     out_i = q_i + crosstalk sum_j q_j                 j: the MZIs above and below i in its column
///
/// The nearest level is that on the circle: just below the period it is 0. Halfway between two the even one
/// is taken.
at::Tensor heater_phases(const at::Tensor& commanded, const MeshLayout& layout,
                         const Imperfections& imperfections, double period);

}  // namespace optotorch
