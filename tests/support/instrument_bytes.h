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

/// One mesh of six ports and six columns, as an instrument tells it.
inline const std::string mesh_of_six = R"({"commands":{"gamma":{"required":false,"shape":[6]},)"
                                       R"("phi":{"required":true,"shape":[15]},)"
                                       R"("theta":{"required":true,"shape":[15]}},)"
                                       R"("delivers_field":true,"input":[6],"options":{"columns":6,)"
                                       R"("grid":"rectangular","idle_port":"wire","phi_arm":"output",)"
                                       R"("ports":6,"zero_state":"cross"},"output":[6],"takes_field":true,)"
                                       R"("type":"MziMesh"})";

/// That mesh, without monitors.
inline std::string greeting(uint32_t version = 3) {
  return "optoinst" + raw({version}) +
         message(1, R"({"monitors":false,"samples":100,"stages":[)" + mesh_of_six + "]}");
}

inline const std::string done = message(4, "");

inline std::string readings(uint32_t size, uint32_t tensors, uint32_t samples, uint32_t width, size_t values,
                            double value = 1) {
  std::string data;
  for (size_t i = 0; i < values; ++i) {
    data += size == 4 ? raw({static_cast<float>(value)}) : raw({value});
  }
  return message(5, raw({size, tensors, samples, width}) + data);
}

}  // namespace optotorch::testing::instruments
