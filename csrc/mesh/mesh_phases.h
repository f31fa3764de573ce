#pragma once

#include <ATen/core/Tensor.h>

namespace optotorch {

/// The phases of one mesh, in radians: theta, phi and the screen of ops::mzi_mesh. They are what a
/// decomposition finds and what is commanded to a physical system.
struct MeshPhases {
  at::Tensor theta;  ///< [mzis]
  at::Tensor phi;    ///< [mzis]
  at::Tensor gamma;  ///< the screen [ports]; undefined: none
};

}  // namespace optotorch
