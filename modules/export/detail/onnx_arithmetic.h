#pragma once

// Arithmetic of tensors that may be complex, for the emitters.

#include <optotorch/modules/export/detail/onnx_call.h>

#include <functional>

namespace optotorch::onnx {

/// A product of two real tensors: their names to the result's.
using Multiply = std::function<std::string(const std::string&, const std::string&)>;

/// Sum of two real tensors; one of no name is zero.
std::string plus(Call& call, const std::string& a, const std::string& b);

/// Complex if one of the factors is; `multiply` is called for every pair of parts that are not zero.
Value product(Call& call, const Value& a, const Value& b, const Multiply& multiply);

/// An `Multiply` that is a node of this type.
Multiply multiply_by(Call& call, const std::string& type);

/// The entries from `begin` to `end` of one dimension, counted from the front.
std::string sliced(Call& call, const std::string& tensor, int64_t dim, int64_t begin, int64_t end,
                   int64_t step = 1);

/// With two dimensions exchanged.
std::string exchanged(Call& call, const std::string& tensor, int64_t rank, int64_t a, int64_t b);

}  // namespace optotorch::onnx
