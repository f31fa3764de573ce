#pragma once

#include <c10/util/Exception.h>
#include <hwy/aligned_allocator.h>

#include <cstdint>

namespace optotorch::ops {

/// Memory for vectors, uninitialised. Throws c10::OutOfMemoryError.
template <typename T>
hwy::AlignedFreeUniquePtr<T[]> scratch(int64_t size) {
  auto memory = hwy::AllocateAligned<T>(static_cast<size_t>(size));
  TORCH_CHECK_WITH(OutOfMemoryError, memory, "OptoTorch: no memory for ", size, " values of ", sizeof(T),
                   " bytes");
  return memory;
}

}  // namespace optotorch::ops
