#include <optotorch/ops/activation.h>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("electro_optic(Tensor field, float tap, float gain, float bias) -> Tensor");
  library.def(
      "electro_optic_backward(Tensor dL_dy, Tensor field, float tap, float gain, float bias) -> Tensor");
  library.def("saturable_absorber(Tensor field, float depth, float saturation) -> Tensor");
  library.def(
      "saturable_absorber_backward(Tensor dL_dy, Tensor field, float depth, float saturation) -> Tensor");
  library.def("mod_relu(Tensor field, Tensor bias) -> Tensor");
  library.def("mod_relu_backward(Tensor dL_dy, Tensor field, Tensor bias) -> (Tensor, Tensor)");
}

namespace {

template <typename Signature>
auto find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace

at::Tensor electro_optic(const at::Tensor& field, double tap, double gain, double bias) {
  static const auto op =
      find<at::Tensor(const at::Tensor&, double, double, double)>("optotorch::electro_optic");
  return op.call(field, tap, gain, bias);
}

at::Tensor electro_optic_backward(const at::Tensor& dL_dy, const at::Tensor& field, double tap, double gain,
                                  double bias) {
  static const auto op = find<at::Tensor(const at::Tensor&, const at::Tensor&, double, double, double)>(
      "optotorch::electro_optic_backward");
  return op.call(dL_dy, field, tap, gain, bias);
}

at::Tensor saturable_absorber(const at::Tensor& field, double depth, double saturation) {
  static const auto op = find<at::Tensor(const at::Tensor&, double, double)>("optotorch::saturable_absorber");
  return op.call(field, depth, saturation);
}

at::Tensor saturable_absorber_backward(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                       double saturation) {
  static const auto op = find<at::Tensor(const at::Tensor&, const at::Tensor&, double, double)>(
      "optotorch::saturable_absorber_backward");
  return op.call(dL_dy, field, depth, saturation);
}

at::Tensor mod_relu(const at::Tensor& field, const at::Tensor& bias) {
  static const auto op = find<at::Tensor(const at::Tensor&, const at::Tensor&)>("optotorch::mod_relu");
  return op.call(field, bias);
}

std::tuple<at::Tensor, at::Tensor> mod_relu_backward(const at::Tensor& dL_dy, const at::Tensor& field,
                                                     const at::Tensor& bias) {
  static const auto op =
      find<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&)>(
          "optotorch::mod_relu_backward");
  return op.call(dL_dy, field, bias);
}

}  // namespace optotorch::ops
