#include <ATen/ATen.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/sepn.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

using Two = std::tuple<at::Tensor, at::Tensor>;
using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

/// `to` is what a backward operator was asked for: its derivative gets signals from there alone.
CallPointer call_of(const SepnLayout& layout, const std::vector<bool>& to = {true, true}) {
  auto call = std::make_shared<DifferentiableCall>();
  call->forward = [=](const Tensors& x) { return sepn(x[0], x[1], layout); };
  call->reference = [=](const Tensors& x) { return sepn_reference(x[0], x[1], layout); };
  call->backward = [=](const at::Tensor& dL_dy, const Tensors& x, const at::Tensor&,
                       const std::vector<bool>& wanted) {
    const auto [dL_dx, dL_dparameters] = sepn_backward(dL_dy, x[0], x[1], layout, wanted[0], wanted[1]);
    return Tensors{dL_dx, dL_dparameters};
  };
  call->double_backward = [=](const Tensors& v, const at::Tensor& dL_dy, const Tensors& x) {
    const auto of = [&](size_t i) { return to[i] && v[i].defined() ? std::optional(v[i]) : std::nullopt; };
    const auto [by_signal, by_x, by_parameters] =
        sepn_double_backward(of(0), of(1), dL_dy, x[0], x[1], layout);
    return Tensors{by_signal, by_x, by_parameters};
  };
  return call;
}

template <auto compute>
at::Tensor sepn_forward(const at::Tensor& x, const at::Tensor& parameters, at::IntArrayRef features) {
  const auto layout = sepn_layout(x, features);
  check_sepn(x, parameters, layout);
  return compute(call_of(layout), {x, parameters});
}

template <auto differentiate>
Two sepn_once(const at::Tensor& dL_dy, const at::Tensor& x, const at::Tensor& parameters,
              at::IntArrayRef features, bool to_x, bool to_parameters) {
  const auto layout = sepn_layout(x, features);
  check_sepn_backward(dL_dy, x, parameters, layout);
  const std::vector<bool> to{to_x, to_parameters};
  const auto result = differentiate(call_of(layout, to), dL_dy, {x, parameters}, {}, to);
  return {result[0], result[1]};
}

template <auto differentiate>
Three sepn_twice(const std::optional<at::Tensor>& v_x, const std::optional<at::Tensor>& v_parameters,
                 const at::Tensor& dL_dy, const at::Tensor& x, const at::Tensor& parameters,
                 at::IntArrayRef features) {
  const auto layout = sepn_layout(x, features);
  check_sepn_double_backward(v_x, v_parameters, dL_dy, x, parameters, layout);
  const auto result =
      differentiate(*call_of(layout), {v_x.value_or(at::Tensor()), v_parameters.value_or(at::Tensor())},
                    dL_dy, {x, parameters});
  return {result[0], result[1], result[2]};
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("sepn", sepn_forward<differentiable_forward>);
  library.impl("sepn_backward", sepn_once<differentiable_backward>);
  library.impl("sepn_double_backward", sepn_twice<differentiate_reference>);
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("sepn", sepn_forward<forward_by_reference>);
  library.impl("sepn_backward", sepn_once<backward_by_reference>);
  library.impl("sepn_double_backward", sepn_twice<differentiate_reference_below>);
}

}  // namespace
}  // namespace optotorch::ops
