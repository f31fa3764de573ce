#include <ATen/ATen.h>
#include <optotorch/ops/photodetect.h>

namespace optotorch::ops {

at::Tensor photodetect_reference(const at::Tensor& field) {
  // Lazy conjugates and negations have no batching rules in torch.func.
  const auto parts = at::view_as_real(field.resolve_conj());
  return parts.square().sum(-1);
}

}  // namespace optotorch::ops
