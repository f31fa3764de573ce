#pragma once

// NumPy's .npy format (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). Nothing in
// such a file is executed: arrays of Python objects are refused.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <string>

namespace optotorch {

/// The array in a file of the versions 1.0, 2.0 or 3.0, as a contiguous tensor of its type and shape on the
/// CPU, as torch.from_numpy(numpy.load(path)) gives it: float16 to float64, complex64, complex128, int8 to
/// int64, uint8 to uint64 and bool, in either byte order, in C or Fortran order.
///
/// The header must be what the format's description says, and the file as long as its shape demands, which is
/// known before memory is taken. Values are not looked at. Throws c10::ValueError, naming the file and what
/// is wrong.
at::Tensor load_npy(const std::string& path);

/// The same of a file that is open, or of bytes in memory.
at::Tensor read_npy(InputFile file);

/// Writes a tensor of float32, float64, complex64 or complex128 atomically. The file is, byte for byte, what
/// numpy.save writes of that array in C order. Throws c10::ValueError for another type and if writing fails.
void save_npy(const std::string& path, const at::Tensor& tensor);

}  // namespace optotorch
