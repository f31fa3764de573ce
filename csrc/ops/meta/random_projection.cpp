#include <ATen/ATen.h>
#include <optotorch/ops/random_projection.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor random_projection_meta(const at::Tensor& x, int64_t rows, int64_t seed, std::string_view entries,
                                  int64_t first_row) {
  const auto kind = entries_from(std::string(entries));
  check_random_projection(x, rows, kind, first_row);
  const auto type = random_projection_type(x.scalar_type(), kind);
  return at::empty_symint({x.sym_size(0), c10::SymInt(rows)}, x.options().dtype(type));
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("random_projection", random_projection_meta);
}

}  // namespace
}  // namespace optotorch::ops
