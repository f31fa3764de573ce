#include <ATen/ATen.h>
#include <optotorch/ops/separable_hop.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor separable_hop_meta(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across) {
  check_separable_hop(field, down, across);
  return at::empty_symint({field.sym_size(0), field.sym_size(1), down.sym_size(-2), across.sym_size(-2)},
                          field.options());
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("separable_hop", separable_hop_meta);
}

}  // namespace
}  // namespace optotorch::ops
