#pragma once

// mzi_mesh as a LibTorch user would write it: plain operators, differentiated by autograd. Ideal splitters,
// no loss, phi on the output arm, cross at zero, wires, even number of ports, rectangular grid.

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace optotorch::bench {

/// Column after column, all MZIs of one at once.
at::Tensor mesh_by_columns(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                           int64_t columns);

/// Column after column, as batched products of 2x2 matrices.
at::Tensor mesh_by_small_products(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                                  int64_t columns);

/// The brick wall cut into diamonds of 4 x 4 MZIs: the 8x8 matrices of all diamonds are built at once, then
/// multiplied, one column of diamonds after the other.
at::Tensor mesh_by_blocks(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                          int64_t columns);

/// The matrix as a product of all columns' matrices, multiplied in a tree by batched products.
at::Tensor mesh_by_tree(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                        int64_t columns);

}  // namespace optotorch::bench
