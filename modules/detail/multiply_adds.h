#pragma once

#include <cstdint>
#include <functional>

namespace optotorch {

/// Multiply-adds of the products that LibTorch computes in `work`: matrices, convolutions, attention. Elementwise
/// operators count nothing; a complex product counts once.
int64_t multiply_adds_of(const std::function<void()>& work);

}  // namespace optotorch
