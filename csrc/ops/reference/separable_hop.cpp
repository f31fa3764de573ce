#include <ATen/ATen.h>
#include <optotorch/ops/separable_hop.h>
#include <torch/library.h>

namespace optotorch::ops {

at::Tensor separable_hop_reference(const at::Tensor& field, const at::Tensor& down,
                                   const at::Tensor& across) {
  check_separable_hop(field, down, across);
  return at::matmul(down, at::matmul(field, across.mT()));
}

namespace {

at::Tensor separable_hop_composed(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across) {
  return separable_hop_reference(field, down, across).contiguous();
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("separable_hop", separable_hop_composed);
}

}  // namespace

}  // namespace optotorch::ops
