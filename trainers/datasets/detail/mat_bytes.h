#pragma once

// The bytes of one element of a MAT file, plain or packed by zlib.

#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/detail/byte_source.h>

#include <memory>

namespace optotorch {

/// The next `length` bytes of the file, which must outlive the source and not be read otherwise meanwhile.
std::unique_ptr<ByteSource> plain_element(InputFile& file, uint64_t length);

/// What the next `length` bytes unpack to as one zlib stream (RFC 1950). Reading verifies the checksum when it
/// comes to the end; bytes behind that are refused.
std::unique_ptr<ByteSource> packed_element(InputFile& file, uint64_t length);

}  // namespace optotorch
