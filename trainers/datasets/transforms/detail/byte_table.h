#pragma once

// What depends on a byte alone is computed 256 times, not for every pixel.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace optotorch::transforms {

using ByteTable = std::array<uint8_t, 256>;

/// of(v) for v = 0 ... 255.
template <typename Of>
ByteTable byte_table(Of&& of) {
  ByteTable table{};
  for (size_t v = 0; v < table.size(); ++v) {
    table[v] = of(static_cast<uint8_t>(v));
  }
  return table;
}

/// table[image] for a uint8 image; contiguous.
at::Tensor look_up(const at::Tensor& image, const ByteTable& table);

}  // namespace optotorch::transforms
