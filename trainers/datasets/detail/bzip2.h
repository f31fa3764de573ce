#pragma once

#include <optotorch/core/input_file.h>

#include <cstdint>
#include <string>

namespace optotorch {

/// What a bzip2 file unpacks to: one stream or several, one after the other, each with its checksums. Memory
/// grows with what comes. Throws c10::ValueError, which names the file, if that is more than `most` bytes, or
/// if the file is no bzip2 file, truncated, corrupt, or followed by anything else.
std::string unpack_bzip2(InputFile file, uint64_t most);

}  // namespace optotorch
