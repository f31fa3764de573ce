#include <ATen/ATen.h>
#include <optotorch/ops/free_space.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor free_space_meta(const at::Tensor& field, const at::Tensor& transfer, int64_t height,
                           int64_t width) {
  check_free_space(field, transfer, height, width);
  return at::empty_symint({field.sym_size(0), field.sym_size(1), height, width}, field.options());
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("free_space", free_space_meta);
}

}  // namespace
}  // namespace optotorch::ops
