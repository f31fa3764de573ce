#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace optotorch {

/// Reads NumPy's .npy format, versions 1.0 and 2.0: little-endian float32 or float64 in C order, as a tensor
/// of that type and shape on the CPU. The header must be exactly what the format's description says, and the
/// file as long as its shape demands, which is known before memory is taken. Values are not looked at.
/// Throws c10::ValueError, naming the file and what is wrong.
at::Tensor load_npy(const std::string& path);

}  // namespace optotorch
