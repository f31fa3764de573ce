#pragma once

// MD5, by which data sets are published. No protection against forgery.

#include <optotorch/core/input_file.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace optotorch {

/// The digest of RFC 1321 of bytes that come in pieces.
class Md5 {
 public:
  void update(const void* bytes, size_t count);

  /// 32 small hexadecimal digits. Ends the digest: no update may follow.
  std::string digest();

 private:
  void block(const uint8_t* bytes);

  std::array<uint32_t, 4> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  std::array<uint8_t, 64> waiting_ = {};
  uint64_t length_ = 0;
};

/// The digest of all that is still to come. Throws c10::ValueError on an input error.
std::string md5_of(InputFile file);

}  // namespace optotorch
