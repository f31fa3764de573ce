#pragma once

// Between random_projection's CPU face (tensors, threads) and its SIMD kernels (pointers).
//
// Lanes are rows of B. A group of rows makes its entries for a chunk of columns, which stay in the L1 cache
// while every sample of the batch is multiplied by them: entries are made once a call, whatever the batch.

#include <optotorch/ops/random_projection.h>

#include <cstdint>
#include <vector>

namespace optotorch::ops {

/// Columns whose products are summed before others': the columns of a block of signs.
inline constexpr int64_t projection_chunk = 128;

/// Ternary samples as two bit planes, in blocks of 128 columns of four words.
struct TernaryPlanes {
  int64_t blocks = 0;                       ///< of a sample
  std::vector<uint32_t> nonzero, negative;  ///< [batch, blocks, 4]
  std::vector<int64_t> count;               ///< values of a sample that are not 0
  std::vector<uint8_t> used;                ///< [blocks]: any sample has something there
};

/// Ternary samples as lists of columns.
struct TernaryLists {
  static constexpr uint8_t negative = 128;
  std::vector<uint8_t> columns;  ///< with something there, within their chunk; plus `negative` for -1
  std::vector<int64_t> first;    ///< [batch x chunks + 1]: where those of a sample's chunk begin
  std::vector<uint8_t> used;     ///< [columns by two]: any sample has something there
};

struct Projection {
  uint64_t seed;
  Entries entries;
  int64_t first_row, batch, columns;
};

/// Rows of y that a group works on.
int64_t projection_group(Entries entries);

/// y [batch, stride] at rows [begin, end), complex numbers interleaved.
template <typename T>
void project_rows(const Projection& projection, const T* x, T* y, int64_t stride, int64_t begin, int64_t end);

/// The same for ternary x, by additions: the bits of the same values in float32.
void project_rows(const Projection& projection, const TernaryLists& x, float* y, int64_t stride,
                  int64_t begin, int64_t end);

/// The same for ternary x and signs, by population counts.
void project_rows(const Projection& projection, const TernaryPlanes& x, float* y, int64_t stride,
                  int64_t begin, int64_t end);

/// Makes the entries of rows [begin, end) and adds them up.
double sum_of_rows(const Projection& projection, int64_t begin, int64_t end);

}  // namespace optotorch::ops
