#pragma once

// Bytes of a file, plain or packed by gzip.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace optotorch {

/// A forward-only reader.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// Reads up to `count` bytes; fewer come only at the end. Throws c10::ValueError where the file is corrupt.
  virtual size_t read(uint8_t* to, size_t count) = 0;

  /// An upper bound of how many bytes can come in all, known before anything is read.
  virtual uint64_t most() const = 0;

  /// Length of the file on disk.
  virtual uint64_t length() const = 0;
};

/// Opens a regular file. It is unpacked if it begins with gzip's magic number 1f 8b; all members are unpacked
/// one after the other, and the checksum and the length of each are verified when its end is read. Zero bytes
/// behind a member are padding.
///
/// Throws c10::ValueError, which names the file, if it cannot be opened.
std::unique_ptr<ByteSource> open_bytes(const std::string& path);

/// The same of a file that is open, or of bytes in memory.
std::unique_ptr<ByteSource> bytes_of(InputFile file);

/// `promised` bytes, uint8 [promised], in memory that grows with what comes, at first no more than the file's
/// own length (or 4 KiB). Throws c10::ValueError, which calls the file `path` and says that the bytes were
/// expected `where` ("after the header"), if they do not come.
at::Tensor read_promised(ByteSource& source, uint64_t promised, const std::string& path,
                         const std::string& where);

}  // namespace optotorch
