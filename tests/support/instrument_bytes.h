#pragma once

// An instrument's messages byte by byte (docs/instrument.md), sound and broken ones, with nothing of the code
// under test.

#include <cstdint>
#include <initializer_list>
#include <string>

namespace optotorch::testing::instruments {

template <typename T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

inline std::string message(uint32_t kind, const std::string& payload, int64_t length = -1) {
  return raw({kind}) + raw<uint64_t>({length < 0 ? payload.size() : static_cast<uint64_t>(length)}) + payload;
}

/// One mesh of six ports and six columns, without monitors, with nothing between meshes; version 1 doesn't say
/// so.
inline std::string greeting(uint32_t version = 2) {
  return "optoinst" + raw({version}) +
         message(1, raw<uint32_t>({100, 0, 1, 6, 6}) + raw<uint8_t>({0, 1, 0, 0}) +
                        (version == 1 ? "" : raw<uint32_t>({1, 0})));
}

inline const std::string done = message(4, "");

inline std::string readings(uint32_t size, uint32_t meshes, uint32_t samples, uint32_t width, size_t values,
                            double value = 1) {
  std::string data;
  for (size_t i = 0; i < values; ++i) {
    data += size == 4 ? raw({static_cast<float>(value)}) : raw({value});
  }
  return message(5, raw({size, meshes, samples, width}) + data);
}

}  // namespace optotorch::testing::instruments
