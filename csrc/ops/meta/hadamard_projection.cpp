#include <ATen/ATen.h>
#include <optotorch/ops/hadamard_projection.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor hadamard_projection_meta(const at::Tensor& x, int64_t rows, int64_t seed, int64_t first_row) {
  check_hadamard_projection(x, rows, first_row);
  return at::empty_symint({x.sym_size(0), c10::SymInt(rows)}, x.options());
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("hadamard_projection", hadamard_projection_meta);
}

}  // namespace
}  // namespace optotorch::ops
