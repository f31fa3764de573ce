#pragma once

// Between sepn's CPU face (tensors, threads) and its SIMD kernels (pointers).
//
// A kernel works on tiles of samples: a row holds the real parts of one pixel of one channel, then the
// imaginary parts. All rows of the network, and of its gradients, stay in the L2 cache while a tile is worked
// on; the batch is innermost, so that every multiply-add is a whole vector whatever the channels are.

#include <hwy/aligned_allocator.h>
#include <optotorch/ops/sepn.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace optotorch::ops {

/// Samples in a tile: a row of one plane is 64 bytes, one AVX-512 vector.
template <typename T>
inline constexpr int64_t sepn_tile = 64 / sizeof(T);

/// Which pixels a 3 x 3 kernel brings together.
struct SepnLinks {
  struct Link {
    int32_t from, tap;
  };
  std::vector<int32_t> begin;  ///< of each target pixel's links, and the end
  std::vector<Link> links;
};

/// A convolution with its place among the rows.
struct SepnStep {
  SepnConvolution convolution;
  int64_t x, y;  ///< first rows of input and output
  bool active;   ///< CReLU follows
  SepnLinks forward, backward;
  /// Pairs of output and input pixel, for each tap.
  std::vector<std::vector<std::pair<int32_t, int32_t>>> pairs;
};

/// The network as its kernels see it; made once per call.
template <typename T>
class SepnPlan {
 public:
  /// `parameters` [layout.parameters(), 2], interleaved.
  SepnPlan(const SepnLayout& layout, const T* parameters);

  void forward(const T* x, T* y, int64_t begin, int64_t end) const;

  /// Adds to `sums` (as `parameters`, of this group) if not null, and writes dL_dx if not null.
  void backward(const T* dL_dy, const T* x, T* dL_dx, T* sums, int64_t begin, int64_t end) const;

  SepnLayout layout;
  std::vector<SepnStep> steps;
  int64_t rows = 0;                            ///< of a tile
  int64_t output = 0;                          ///< first row of y
  const T* parameters;                         ///< not owned
  std::vector<T> direct, adjoint;              ///< weights in the order of the loops, see sepn_tiles.cpp
  std::vector<int64_t> direct_at, adjoint_at;  ///< where each convolution's begin
};

}  // namespace optotorch::ops
