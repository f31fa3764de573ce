#include <ATen/ATen.h>
#include <optotorch/ops/activation.h>
#include <optotorch/ops/photodetect.h>

namespace optotorch::ops {

at::Tensor electro_optic_reference(const at::Tensor& field, double tap, double gain, double bias) {
  const auto p = (gain * photodetect_reference(field) + bias) / 2;
  return std::sqrt(1 - tap) * p.cos() * at::complex(p.cos(), -p.sin()) * field;
}

at::Tensor saturable_absorber_reference(const at::Tensor& field, double depth, double saturation) {
  return (-depth / 2 / (1 + photodetect_reference(field) / saturation)).exp() * field;
}

at::Tensor mod_relu_reference(const at::Tensor& field, const at::Tensor& bias) {
  const auto intensity = photodetect_reference(field);
  const auto lit = intensity > 0;
  // The slope of a root at 0 is infinite, also in front of `where`.
  const auto magnitude = at::where(lit, intensity, 1).sqrt();
  return at::where(lit, (magnitude + bias).relu() / magnitude, 0) * field;
}

}  // namespace optotorch::ops
