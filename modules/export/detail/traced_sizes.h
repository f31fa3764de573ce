#pragma once

#include <optotorch/modules/export/detail/traced_layer.h>

#include <string>

namespace optotorch {

/// `x` with `size` entries along `dim`: its own, again and again.
torch::Tensor resized(const torch::Tensor& x, int64_t dim, int64_t size);

/// Throws c10::ValueError, naming the layer, if its trace is another function than the layer itself for
/// another number of samples than the example's: C++ reads sizes as numbers, and a trace keeps them.
void check_batch_sizes(TracedLayer& layer, const torch::Tensor& example);

/// Gives the layer's module its method `forward`: `compute`, behind an error for every size of a sample that
/// the trace gets wrong. A size is left free if the trace agrees with the layer at others.
void define_forward(TracedLayer& layer, const torch::Tensor& example);

}  // namespace optotorch
