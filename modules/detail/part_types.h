#pragma once

#include <optotorch/modules/describe.h>

#include <vector>

namespace optotorch {

/// LibTorch's modules; the library's own register themselves.
std::vector<PartType> libtorch_part_types();

}  // namespace optotorch
