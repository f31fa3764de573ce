#pragma once

#include <ATen/core/Tensor.h>

namespace optotorch {

/// Planes [planes, rows, columns], complex, turned about their middle from down to right by `angle` radians, darkness
/// around them: by their spectrum, in three shears (Unser, Thevenaz, Yaroslavsky, IEEE Trans. Image Process. 4, 1371,
/// 1995). No light is lost on the way, which a mean of neighbours would.
at::Tensor rotated(const at::Tensor& planes, double angle);

struct RotationGradients {
  at::Tensor dL_dplanes;
  double dL_dangle;
};

/// From the gradient of what `rotated` returned.
RotationGradients rotated_backward(const at::Tensor& dL_drotated, const at::Tensor& planes, double angle);

}  // namespace optotorch
