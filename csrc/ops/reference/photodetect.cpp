#include <ATen/ATen.h>
#include <optotorch/ops/photodetect.h>

namespace optotorch::ops {

at::Tensor photodetect_reference(const at::Tensor& field) {
  return at::real(field).square() + at::imag(field).square();
}

}  // namespace optotorch::ops
