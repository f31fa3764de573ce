#pragma once

#include <torch/types.h>

namespace optotorch {

/// A [rows, columns] matrix of independent standard normal entries (complex: unit variance in all), a pure
/// function of its arguments: entry (i, j) is drawn from Philox stream `stream` of `seed` at counter i
/// columns + j. The same numbers in every type, rounded.
torch::Tensor normal_matrix(int64_t rows, int64_t columns, int64_t seed, int64_t stream,
                            torch::ScalarType type);

/// Likewise, uniform in [-1, 1]; real types only.
torch::Tensor uniform_matrix(int64_t rows, int64_t columns, int64_t seed, int64_t stream,
                             torch::ScalarType type);

}  // namespace optotorch
