#include <ATen/ATen.h>
#include <optotorch/ops/photodetect.h>
#include <torch/library.h>

namespace optotorch::ops {

at::Tensor photodetect_reference(const at::Tensor& field) {
  // Lazy conjugates and negations have no batching rules in torch.func.
  const auto parts = at::view_as_real(field.resolve_conj());
  return parts.square().sum(-1);
}

namespace {

/// Noise is drawn where the generator is, so that a seed means the same numbers everywhere.
at::Tensor photodetect_composed(const at::Tensor& field, double shot, double thermal, int64_t seed,
                                int64_t counter) {
  check_photodetect(field, shot, thermal);
  return shot == 0 && thermal == 0
             ? photodetect_reference(field).contiguous()
             : photodetect(field.cpu(), shot, thermal, seed, counter).to(field.device());
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("photodetect", photodetect_composed);
}

}  // namespace

}  // namespace optotorch::ops
