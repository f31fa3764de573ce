#pragma once

#include <ATen/core/Tensor.h>

namespace optotorch {

/// Transposes the last two dimensions of images, uint8 [N, C, S, S] and contiguous, where they lie: sets that
/// are stored by columns need no second copy of what may be gigabytes.
void transpose_planes(at::Tensor& images);

}  // namespace optotorch
