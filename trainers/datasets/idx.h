#pragma once

// The idx format of the MNIST family of data sets (http://yann.lecun.com/exdb/mnist).

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <string>

namespace optotorch {

/// The array in the idx file `path`, plain or packed by gzip (the first bytes decide, not the name).
///
/// Layout: two zero bytes, a type code, the number of dimensions d (1 to 8), d sizes (uint32, at least 1),
/// then the values in row-major order and nothing else; every number is big-endian. Type codes: 0x08 uint8,
/// 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32, 0x0E float64; the tensor has that type.
///
/// The file is not trusted. The sizes are held against the file's length before memory is taken: a plain file
/// must have exactly the promised length, and gzip cannot unpack to more than 1032 times the length. A packed
/// file is unpacked piece by piece into memory that doubles as it fills, beginning with no more than the
/// file's length (or 4 KiB).
///
/// Throws c10::ValueError, which names the file, if it cannot be read, is no idx file, is truncated, is
/// longer than its header says, or (packed) is corrupt or fails its checksum.
at::Tensor read_idx(const std::string& path);

/// The same of a file that is open, or of bytes in memory.
at::Tensor read_idx(InputFile file);

}  // namespace optotorch
