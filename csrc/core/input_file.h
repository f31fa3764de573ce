#pragma once

// Foreign bytes, front to back: of a file, or of memory that stands for one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace optotorch {

/// Bytes to read front to back, from a file that open_regular_file() has opened or from memory.
class InputFile {
 public:
  /// Bytes in memory, which must outlive this; errors call them `name`.
  InputFile(std::string_view bytes, std::string name);
  /// Takes over what `other` reads; `other` may then only be assigned to or destroyed.
  InputFile(InputFile&& other) noexcept;
  /// Swaps the two: the file that this one read stays open in `other`.
  InputFile& operator=(InputFile&& other) noexcept;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  /// Its name in errors: its path.
  const std::string& name() const { return name_; }

  /// Length in bytes, as it was when the file was opened. No more is ever read.
  uint64_t size() const { return size_; }

  /// Bytes that are still to come.
  uint64_t left() const { return size_ - position_; }

  /// Reads up to `count` bytes; fewer come only at the end. Throws c10::ValueError on an input error.
  size_t read(void* to, size_t count);

  /// All that is still to come. Throws as read() does, and if the file has become shorter.
  std::string rest();

  /// Goes to a byte, counted from 0 at the beginning; position <= size().
  void seek(uint64_t position);

 private:
  friend InputFile open_regular_file(const std::string& path, const std::string& where);
  InputFile(int descriptor, uint64_t size, std::string name);

  std::string_view bytes_;
  int descriptor_ = -1;
  uint64_t size_ = 0, position_ = 0;
  std::string name_;
};

/// Opens a file whose bytes lie on a disk. Whatever else has a name there, a folder, a pipe, a socket, a
/// device, is refused without waiting for it: to open a pipe is to wait for whoever writes to it.
///
/// Throws c10::ValueError in the name of `where`, which names the path and what stands there instead.
InputFile open_regular_file(const std::string& path, const std::string& where);

}  // namespace optotorch
