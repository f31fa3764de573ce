#include <ATen/ATen.h>
#include <optotorch/ops/photodetect.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor photodetect_meta(const at::Tensor& field, double shot, double thermal, int64_t seed,
                            int64_t counter) {
  check_photodetect(field, shot, thermal);
  return at::empty_symint(field.sym_sizes(),
                          field.options().dtype(c10::toRealValueType(field.scalar_type())));
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("photodetect", photodetect_meta);
}

}  // namespace
}  // namespace optotorch::ops
