#pragma once

// Named tensors in a file: the safetensors format (an 8-byte little-endian header length, a JSON header, raw
// little-endian data), which Python's `safetensors` reads too. Nothing in such a file is executed.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <map>
#include <string>

namespace optotorch {

/// Content of a safetensors file.
struct SafeTensors {
  std::map<std::string, at::Tensor> tensors;    ///< contiguous, on the CPU
  std::map<std::string, std::string> metadata;  ///< texts by name; a file's checksum is left out
};

/// Writes the file atomically, with a checksum among the metadata: `crc32`, the CRC-32 (of gzip and PNG) of
/// the whole file with eight zeros in its place, in hexadecimal digits. Throws c10::ValueError for a type
/// that the format does not know, for metadata of that name, and if writing fails.
void save_safetensors(const std::string& path, const SafeTensors& content);

/// Reads the file. Header, types, shapes and offsets are checked against each other and against the file's
/// length before memory is taken; where there is a checksum, a file that has changed since is refused, down
/// to a single bit. Throws c10::ValueError, naming the file and what is wrong.
SafeTensors load_safetensors(const std::string& path);

/// The same of a file that is open, or of bytes in memory.
SafeTensors read_safetensors(InputFile file);

}  // namespace optotorch
