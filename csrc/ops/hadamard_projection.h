#pragma once

// A random matrix that is multiplied in n log n steps: three rounds of random signs and Walsh-Hadamard
// transforms (Yu et al., arXiv 1610.09072).
//
//     y = sqrt(n) Q x,     Q = H D_3 H D_2 H D_1 n^(-3/2)
//
// with x filled up with zeros to n values, n the next power of two from 16 on, H the Walsh-Hadamard matrix of
// +-1, in natural order, and D_k diagonal signs. Q is orthogonal: entries of sqrt(n) Q have variance 1. Rows
// beyond n belong to further matrices of the same kind: row r is row r mod n of matrix r / n. Signs are bits
// of Philox 4x32-10 blocks with the key `seed` and the counters (position / 128, 3 matrix + k - 1, 3, 0), 0
// is +1. One round would not do: its entries are +-1, and sparse x meet few of them.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace optotorch::ops {

/// y [batch, rows], rows `first_row` to first_row + rows of the matrices above, from real x [batch, columns],
/// float32 or float64. The same bits for any threads, batch and slices of rows. Throws c10::ValueError for
/// other types, columns outside 1 to 2^30, rows outside 1 to 2^31 - first_row, and a negative first_row.
at::Tensor hadamard_projection(const at::Tensor& x, int64_t rows, int64_t seed, int64_t first_row = 0);

/// The same by matrices of ATen.
at::Tensor hadamard_projection_reference(const at::Tensor& x, int64_t rows, int64_t seed,
                                         int64_t first_row = 0);

/// n of the header.
int64_t hadamard_size(int64_t columns);

/// Throws as `hadamard_projection` does; for its faces.
void check_hadamard_projection(const at::Tensor& x, int64_t rows, int64_t first_row);

}  // namespace optotorch::ops
