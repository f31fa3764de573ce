#pragma once

#include <string>

namespace optotorch::ops {

/// Instruction set that the vectorised kernels run on here, found at run time, by Highway's name: "AVX3"
/// (AVX-512), "AVX2", "SSE4", "NEON", ...
std::string simd_target();

}  // namespace optotorch::ops
