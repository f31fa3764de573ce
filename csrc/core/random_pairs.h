#pragma once

// Pairs of random numbers as a tensor, drawn by all threads.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>

namespace optotorch {

/// Row n holds the two numbers of pair_of(n): float64 [count, 2]. A thread draws at least `grain` rows.
template <typename PairOf>
at::Tensor rows_of_pairs(int64_t count, int64_t grain, const PairOf& pair_of) {
  auto rows = at::empty({count, 2}, at::kDouble);
  auto* const out = rows.mutable_data_ptr<double>();
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto [a, b] = pair_of(n);
      out[2 * n] = a;
      out[2 * n + 1] = b;
    }
  });
  return rows;
}

/// Row n holds pair number first + n of a stream (normal_pair in random.h): float64 [count, 2].
at::Tensor normal_pairs(int64_t seed, uint64_t stream, int64_t first, int64_t count);

}  // namespace optotorch
