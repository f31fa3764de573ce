#pragma once

// Fixed random matrices that are never stored: what a scattering medium does to light.
//
//     y[b, i] = sum_j B(first_row + i, j) x[b, j]
//
// An entry is a pure function of (seed, kind, row, column), so that any slice of rows is reached without the
// rest, and y does not depend on how the work is cut: threads, batch, slices give the same bits. Entries have
// mean 0 and variance 1; they come from Philox 4x32-10 (Salmon et al. 2011) with the key `seed` and one block
// (w0, w1, w2, w3) for every
//
//     rademacher      128 columns     B = +-1, by bits of the words: 0 is +1
//     normal          4 columns       Box-Muller of (w0, w1) and of (w2, w3), in float32
//     complex_normal  2 columns       (Re, Im) of each pair, over sqrt(2)
//
// with the counter (column / columns of a block, row, kind, 0). Tails reach 6.7 deviations.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch::ops {

/// How the entries are distributed; the numbers are a part of the counter and never change.
enum class Entries { rademacher = 0, normal = 1, complex_normal = 2 };

/// "rademacher", "normal", "complex_normal".
std::string entries_name(Entries entries);
/// Throws c10::ValueError, with what there is, for another name.
Entries entries_from(const std::string& name);

/// The largest number of rows, and of columns.
inline constexpr int64_t projection_limit = int64_t{1} << 31;

/// y [batch, rows] from x [batch, columns]. x is float32, float64, or int8 with the values -1, 0 and 1: a
/// ternary x costs additions only, and bit operations with population counts if B is of signs. y has the real
/// type of x (float32 for int8), complex for complex entries. Sums are taken in the order of the columns, in
/// chunks of 128; those of signs and ternary x are exact. A float64 x sees the same float32 entries. Throws
/// c10::ValueError for other types, no columns, rows outside 1 to 2^31 - first_row, a negative first_row, and
/// int8 values that are not ternary.
at::Tensor random_projection(const at::Tensor& x, int64_t rows, int64_t seed,
                             Entries entries = Entries::normal, int64_t first_row = 0);

/// The same with a matrix that is made block by block by ATen's own generator, and stored; in the precision
/// of x.
at::Tensor random_projection_reference(const at::Tensor& x, int64_t rows, int64_t seed, Entries entries,
                                       int64_t first_row);

/// The sum of all entries (rows rounded up to whole vectors), made as `random_projection` makes them and used
/// for nothing else: what the generator alone costs, for benchmarks. Of complex entries both parts.
double sum_of_entries(int64_t rows, int64_t columns, int64_t seed, Entries entries);

/// Throws as `random_projection` does, but for the values of x; for its faces.
void check_random_projection(const at::Tensor& x, int64_t rows, Entries entries, int64_t first_row);

/// Type of y.
at::ScalarType random_projection_type(at::ScalarType x, Entries entries);

}  // namespace optotorch::ops
