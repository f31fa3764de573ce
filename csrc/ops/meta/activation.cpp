#include <ATen/ATen.h>
#include <optotorch/ops/activation.h>
#include <torch/library.h>

#include <tuple>

namespace optotorch::ops {
namespace {

using Two = std::tuple<at::Tensor, at::Tensor>;
using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

at::Tensor like(const at::Tensor& tensor) {
  return at::empty_symint(tensor.sym_sizes(), tensor.options());
}

at::Tensor electro_optic_meta(const at::Tensor& field, double tap, double gain, double bias) {
  check_electro_optic("electro_optic", field, tap, gain, bias);
  return like(field);
}

at::Tensor electro_optic_backward_meta(const at::Tensor& dL_dy, const at::Tensor& field, double tap,
                                       double gain, double bias) {
  check_electro_optic_backward(dL_dy, field, tap, gain, bias);
  return like(field);
}

Two electro_optic_double_backward_meta(const at::Tensor& v, const at::Tensor& dL_dy, const at::Tensor& field,
                                       double tap, double gain, double bias) {
  check_electro_optic_double_backward(v, dL_dy, field, tap, gain, bias);
  return {like(field), like(field)};
}

at::Tensor saturable_absorber_meta(const at::Tensor& field, double depth, double saturation) {
  check_saturable_absorber("saturable_absorber", field, depth, saturation);
  return like(field);
}

at::Tensor saturable_absorber_backward_meta(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                            double saturation) {
  check_saturable_absorber_backward(dL_dy, field, depth, saturation);
  return like(field);
}

Two saturable_absorber_double_backward_meta(const at::Tensor& v, const at::Tensor& dL_dy,
                                            const at::Tensor& field, double depth, double saturation) {
  check_saturable_absorber_double_backward(v, dL_dy, field, depth, saturation);
  return {like(field), like(field)};
}

at::Tensor mod_relu_meta(const at::Tensor& field, const at::Tensor& bias) {
  check_mod_relu("mod_relu", field, bias);
  return like(field);
}

Two mod_relu_backward_meta(const at::Tensor& dL_dy, const at::Tensor& field, const at::Tensor& bias) {
  check_mod_relu_backward(dL_dy, field, bias);
  return {like(field), like(bias)};
}

Three mod_relu_double_backward_meta(const at::Tensor& v_field, const at::Tensor& v_bias,
                                    const at::Tensor& dL_dy, const at::Tensor& field,
                                    const at::Tensor& bias) {
  check_mod_relu_double_backward(v_field, v_bias, dL_dy, field, bias);
  return {like(field), like(field), like(bias)};
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("electro_optic", electro_optic_meta);
  library.impl("electro_optic_backward", electro_optic_backward_meta);
  library.impl("electro_optic_double_backward", electro_optic_double_backward_meta);
  library.impl("saturable_absorber", saturable_absorber_meta);
  library.impl("saturable_absorber_backward", saturable_absorber_backward_meta);
  library.impl("saturable_absorber_double_backward", saturable_absorber_double_backward_meta);
  library.impl("mod_relu", mod_relu_meta);
  library.impl("mod_relu_backward", mod_relu_backward_meta);
  library.impl("mod_relu_double_backward", mod_relu_double_backward_meta);
}

}  // namespace
}  // namespace optotorch::ops
