#pragma once

// Writes small idx files, sound and broken ones, with nothing of the code under test.

#include <gtest/gtest.h>
#include <support/temporary_folder.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch::testing {

inline Bytes idx_header(uint8_t type_code, const std::vector<uint32_t>& sizes) {
  Bytes bytes = {0, 0, type_code, static_cast<uint8_t>(sizes.size())};
  for (const uint32_t size : sizes) {
    for (const int bits : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<uint8_t>(size >> bits));
    }
  }
  return bytes;
}

inline Bytes idx(uint8_t type_code, const std::vector<uint32_t>& sizes, const Bytes& values) {
  Bytes bytes = idx_header(type_code, sizes);
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

/// `bytes` as one member of a gzip file.
inline Bytes gzipped(const Bytes& bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    ADD_FAILURE() << "deflateInit2";
    return {};
  }
  Bytes packed(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// Bytes that do not repeat and that pack badly.
inline Bytes noise(size_t count) {
  Bytes bytes(count);
  uint32_t state = 12345;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

}  // namespace optotorch::testing
