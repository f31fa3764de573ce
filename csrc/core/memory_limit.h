#pragma once

#include <cstdint>
#include <string>

namespace optotorch {

/// While it lives, the tensors that this thread makes on the CPU may take at most `bytes` together, freed
/// ones included; beyond that c10::ValueError in the name of `where`. For whoever makes what a foreign file
/// asks for: the error comes before the memory is taken. One within another: both count.
class MemoryLimit {
 public:
  /// Begins to count on this thread. With 0 bytes no tensor may have elements.
  MemoryLimit(std::string where, uint64_t bytes);
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit();

 private:
  friend class LimitedAllocator;
  void take(uint64_t bytes);

  std::string where_;
  uint64_t bytes_, left_;
  MemoryLimit* outer_;
};

}  // namespace optotorch
