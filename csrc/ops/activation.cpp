#include <optotorch/core/check.h>
#include <optotorch/ops/activation.h>
#include <optotorch/ops/detail/argument_checks.h>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <cmath>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("electro_optic(Tensor field, float tap, float gain, float bias) -> Tensor");
  library.def(
      "electro_optic_backward(Tensor dL_dy, Tensor field, float tap, float gain, float bias) -> Tensor");
  library.def(
      "electro_optic_double_backward(Tensor v, Tensor dL_dy, Tensor field, float tap, float gain, float "
      "bias) "
      "-> (Tensor, Tensor)");
  library.def("saturable_absorber(Tensor field, float depth, float saturation) -> Tensor");
  library.def(
      "saturable_absorber_backward(Tensor dL_dy, Tensor field, float depth, float saturation) -> Tensor");
  library.def(
      "saturable_absorber_double_backward(Tensor v, Tensor dL_dy, Tensor field, float depth, "
      "float saturation) -> (Tensor, Tensor)");
  library.def("mod_relu(Tensor field, Tensor bias) -> Tensor");
  library.def("mod_relu_backward(Tensor dL_dy, Tensor field, Tensor bias) -> (Tensor, Tensor)");
  library.def(
      "mod_relu_double_backward(Tensor v_field, Tensor v_bias, Tensor dL_dy, Tensor field, Tensor bias) -> "
      "(Tensor, Tensor, Tensor)");
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

std::tuple<at::Tensor, at::Tensor> electro_optic_double_backward(const at::Tensor& v, const at::Tensor& dL_dy,
                                                                 const at::Tensor& field, double tap,
                                                                 double gain, double bias) {
  static const auto op =
      find<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&, double,
                                              double, double)>("optotorch::electro_optic_double_backward");
  return op.call(v, dL_dy, field, tap, gain, bias);
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

std::tuple<at::Tensor, at::Tensor> saturable_absorber_double_backward(const at::Tensor& v,
                                                                      const at::Tensor& dL_dy,
                                                                      const at::Tensor& field, double depth,
                                                                      double saturation) {
  static const auto op =
      find<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, const at::Tensor&, double,
                                              double)>("optotorch::saturable_absorber_double_backward");
  return op.call(v, dL_dy, field, depth, saturation);
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

std::tuple<at::Tensor, at::Tensor, at::Tensor> mod_relu_double_backward(const at::Tensor& v_field,
                                                                        const at::Tensor& v_bias,
                                                                        const at::Tensor& dL_dy,
                                                                        const at::Tensor& field,
                                                                        const at::Tensor& bias) {
  static const auto op = find<std::tuple<at::Tensor, at::Tensor, at::Tensor>(
      const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&)>(
      "optotorch::mod_relu_double_backward");
  return op.call(v_field, v_bias, dL_dy, field, bias);
}

void check_electro_optic(const char* where, const at::Tensor& field, double tap, double gain, double bias) {
  check_field(where, "field", field);
  OPTOTORCH_CHECK(tap >= 0 && tap < 1, .where = where, .argument = "tap", .expected = "a fraction in [0, 1)",
                  .got = c10::str(tap));
  check_finite_number(where, "gain", gain);
  check_finite_number(where, "bias", bias);
}

void check_electro_optic_backward(const at::Tensor& dL_dy, const at::Tensor& field, double tap, double gain,
                                  double bias) {
  check_electro_optic("electro_optic_backward", field, tap, gain, bias);
  check_like("electro_optic_backward", "dL_dy", dL_dy, field);
}

void check_electro_optic_double_backward(const at::Tensor& v, const at::Tensor& dL_dy,
                                         const at::Tensor& field, double tap, double gain, double bias) {
  check_electro_optic("electro_optic_double_backward", field, tap, gain, bias);
  check_like("electro_optic_double_backward", "v", v, field);
  check_like("electro_optic_double_backward", "dL_dy", dL_dy, field);
}

void check_saturable_absorber(const char* where, const at::Tensor& field, double depth, double saturation) {
  check_field(where, "field", field);
  OPTOTORCH_CHECK(depth >= 0 && std::isfinite(depth) && saturation > 0, .where = where,
                  .argument = "depth, saturation", .expected = "depth >= 0, finite, and saturation > 0",
                  .got = c10::str(depth, " and ", saturation));
}

void check_saturable_absorber_backward(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                       double saturation) {
  check_saturable_absorber("saturable_absorber_backward", field, depth, saturation);
  check_like("saturable_absorber_backward", "dL_dy", dL_dy, field);
}

void check_saturable_absorber_double_backward(const at::Tensor& v, const at::Tensor& dL_dy,
                                              const at::Tensor& field, double depth, double saturation) {
  check_saturable_absorber("saturable_absorber_double_backward", field, depth, saturation);
  check_like("saturable_absorber_double_backward", "v", v, field);
  check_like("saturable_absorber_double_backward", "dL_dy", dL_dy, field);
}

void check_mod_relu(const char* where, const at::Tensor& field, const at::Tensor& bias) {
  check_field(where, "field", field);
  OPTOTORCH_CHECK(bias.defined() && field.dim() >= 1 && bias.dim() == 1 &&
                      bias.sym_size(0) == field.sym_size(-1) &&
                      bias.scalar_type() == c10::toRealValueType(field.scalar_type()),
                  .where = where, .argument = "bias",
                  .expected = "one real value per last-axis element of the field " + describe(field),
                  .got = describe(bias));
  check_device(where, "bias", bias, field);
}

void check_mod_relu_backward(const at::Tensor& dL_dy, const at::Tensor& field, const at::Tensor& bias) {
  check_mod_relu("mod_relu_backward", field, bias);
  check_like("mod_relu_backward", "dL_dy", dL_dy, field);
}

void check_mod_relu_double_backward(const at::Tensor& v_field, const at::Tensor& v_bias,
                                    const at::Tensor& dL_dy, const at::Tensor& field,
                                    const at::Tensor& bias) {
  check_mod_relu("mod_relu_double_backward", field, bias);
  check_like("mod_relu_double_backward", "v_field", v_field, field);
  check_like("mod_relu_double_backward", "v_bias", v_bias, bias);
  check_like("mod_relu_double_backward", "dL_dy", dL_dy, field);
}

}  // namespace optotorch::ops
