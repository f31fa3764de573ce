#pragma once

// What benchmarks of whole tensors share.

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace optotorch::bench {

using Results = std::vector<at::Tensor>;

/// Largest difference of two lists of tensors, as a part of the largest value of each tensor of the second. Throws, in
/// the name of `where`, from 1e-4 on.
double verified(const std::string& where, const Results& a, const Results& b);

/// MiB of tensors that a step takes beyond what is there before it, at most. Needs tools::count_tensor_bytes.
double most_memory(const std::function<Results()>& step);

}  // namespace optotorch::bench
