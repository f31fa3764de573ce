#include <ATen/ATen.h>
#include <optotorch/ops/activation.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

using Two = std::tuple<at::Tensor, at::Tensor>;
using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

/// A call of an operator whose only tensor is the field; all others are `parameters`.
template <typename... Parameters>
CallPointer elementwise(at::Tensor (*forward)(const at::Tensor&, Parameters...),
                        at::Tensor (*reference)(const at::Tensor&, Parameters...),
                        at::Tensor (*backward)(const at::Tensor&, const at::Tensor&, Parameters...),
                        Two (*double_backward)(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                               Parameters...),
                        Parameters... parameters) {
  auto call = std::make_shared<DifferentiableCall>();
  call->forward = [=](const Tensors& x) { return forward(x[0], parameters...); };
  call->reference = [=](const Tensors& x) { return reference(x[0], parameters...); };
  call->backward = [=](const at::Tensor& dL_dy, const Tensors& x, const at::Tensor&,
                       const std::vector<bool>&) { return Tensors{backward(dL_dy, x[0], parameters...)}; };
  call->double_backward = [=](const Tensors& v, const at::Tensor& dL_dy, const Tensors& x) {
    const auto [by_signal, by_field] = double_backward(v[0], dL_dy, x[0], parameters...);
    return Tensors{by_signal, by_field};
  };
  return call;
}

CallPointer electro_optic_call(double tap, double gain, double bias) {
  return elementwise(electro_optic, electro_optic_reference, electro_optic_backward,
                     electro_optic_double_backward, tap, gain, bias);
}

CallPointer saturable_absorber_call(double depth, double saturation) {
  return elementwise(saturable_absorber, saturable_absorber_reference, saturable_absorber_backward,
                     saturable_absorber_double_backward, depth, saturation);
}

CallPointer mod_relu_call() {
  auto call = std::make_shared<DifferentiableCall>();
  call->forward = [](const Tensors& x) { return mod_relu(x[0], x[1]); };
  call->reference = [](const Tensors& x) { return mod_relu_reference(x[0], x[1]); };
  call->backward = [](const at::Tensor& dL_dy, const Tensors& x, const at::Tensor&,
                      const std::vector<bool>&) {
    const auto [dL_dfield, dL_dbias] = mod_relu_backward(dL_dy, x[0], x[1]);
    return Tensors{dL_dfield, dL_dbias};
  };
  call->double_backward = [](const Tensors& v, const at::Tensor& dL_dy, const Tensors& x) {
    const auto [by_signal, by_field, by_bias] = mod_relu_double_backward(v[0], v[1], dL_dy, x[0], x[1]);
    return Tensors{by_signal, by_field, by_bias};
  };
  return call;
}

template <auto compute>
at::Tensor electro_optic_forward(const at::Tensor& field, double tap, double gain, double bias) {
  check_electro_optic("electro_optic", field, tap, gain, bias);
  return compute(electro_optic_call(tap, gain, bias), {field});
}

template <auto differentiate>
at::Tensor electro_optic_once(const at::Tensor& dL_dy, const at::Tensor& field, double tap, double gain,
                              double bias) {
  check_electro_optic_backward(dL_dy, field, tap, gain, bias);
  return differentiate(electro_optic_call(tap, gain, bias), dL_dy, {field}, {}, {true})[0];
}

template <auto differentiate>
Two electro_optic_twice(const at::Tensor& v, const at::Tensor& dL_dy, const at::Tensor& field, double tap,
                        double gain, double bias) {
  check_electro_optic_double_backward(v, dL_dy, field, tap, gain, bias);
  const auto result = differentiate(*electro_optic_call(tap, gain, bias), {v}, dL_dy, {field});
  return {result[0], result[1]};
}

template <auto compute>
at::Tensor saturable_absorber_forward(const at::Tensor& field, double depth, double saturation) {
  check_saturable_absorber("saturable_absorber", field, depth, saturation);
  return compute(saturable_absorber_call(depth, saturation), {field});
}

template <auto differentiate>
at::Tensor saturable_absorber_once(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                   double saturation) {
  check_saturable_absorber_backward(dL_dy, field, depth, saturation);
  return differentiate(saturable_absorber_call(depth, saturation), dL_dy, {field}, {}, {true})[0];
}

template <auto differentiate>
Two saturable_absorber_twice(const at::Tensor& v, const at::Tensor& dL_dy, const at::Tensor& field,
                             double depth, double saturation) {
  check_saturable_absorber_double_backward(v, dL_dy, field, depth, saturation);
  const auto result = differentiate(*saturable_absorber_call(depth, saturation), {v}, dL_dy, {field});
  return {result[0], result[1]};
}

template <auto compute>
at::Tensor mod_relu_forward(const at::Tensor& field, const at::Tensor& bias) {
  check_mod_relu("mod_relu", field, bias);
  return compute(mod_relu_call(), {field, bias});
}

template <auto differentiate>
Two mod_relu_once(const at::Tensor& dL_dy, const at::Tensor& field, const at::Tensor& bias) {
  check_mod_relu_backward(dL_dy, field, bias);
  const auto result = differentiate(mod_relu_call(), dL_dy, {field, bias}, {}, {true, true});
  return {result[0], result[1]};
}

template <auto differentiate>
Three mod_relu_twice(const at::Tensor& v_field, const at::Tensor& v_bias, const at::Tensor& dL_dy,
                     const at::Tensor& field, const at::Tensor& bias) {
  check_mod_relu_double_backward(v_field, v_bias, dL_dy, field, bias);
  const auto result = differentiate(*mod_relu_call(), {v_field, v_bias}, dL_dy, {field, bias});
  return {result[0], result[1], result[2]};
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("electro_optic", electro_optic_forward<differentiable_forward>);
  library.impl("electro_optic_backward", electro_optic_once<differentiable_backward>);
  library.impl("electro_optic_double_backward", electro_optic_twice<differentiate_reference>);
  library.impl("saturable_absorber", saturable_absorber_forward<differentiable_forward>);
  library.impl("saturable_absorber_backward", saturable_absorber_once<differentiable_backward>);
  library.impl("saturable_absorber_double_backward", saturable_absorber_twice<differentiate_reference>);
  library.impl("mod_relu", mod_relu_forward<differentiable_forward>);
  library.impl("mod_relu_backward", mod_relu_once<differentiable_backward>);
  library.impl("mod_relu_double_backward", mod_relu_twice<differentiate_reference>);
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("electro_optic", electro_optic_forward<forward_by_reference>);
  library.impl("electro_optic_backward", electro_optic_once<backward_by_reference>);
  library.impl("saturable_absorber", saturable_absorber_forward<forward_by_reference>);
  library.impl("saturable_absorber_backward", saturable_absorber_once<backward_by_reference>);
  library.impl("mod_relu", mod_relu_forward<forward_by_reference>);
  library.impl("mod_relu_backward", mod_relu_once<backward_by_reference>);
  library.impl("electro_optic_double_backward", electro_optic_twice<differentiate_reference_below>);
  library.impl("saturable_absorber_double_backward", saturable_absorber_twice<differentiate_reference_below>);
  library.impl("mod_relu_double_backward", mod_relu_twice<differentiate_reference_below>);
}

}  // namespace
}  // namespace optotorch::ops
