#pragma once

// Blocks of a Hybrid, compared and shown.

#include <optotorch/modules/hybrid.h>

#include <ostream>

namespace optotorch {

inline bool operator==(const Block& a, const Block& b) {
  return a.begin == b.begin && a.component == b.component && a.end == b.end && a.trainable == b.trainable;
}

inline void PrintTo(const Block& block, std::ostream* stream) {
  *stream << "[" << block.begin << ", " << block.component << ", " << block.end << ") " << block.trainable;
}

}  // namespace optotorch
