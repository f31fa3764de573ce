#include <ATen/ATen.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/filter_bank.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

/// `to` is what a backward operator was asked for: its derivative gets signals from there alone.
CallPointer filter_bank_call(const FilterBankLayout& layout, const std::vector<bool>& to = {true, true}) {
  auto call = std::make_shared<DifferentiableCall>();
  call->forward = [=](const Tensors& x) { return filter_bank(x[0], x[1], layout); };
  call->reference = [=](const Tensors& x) { return filter_bank_reference(x[0], x[1], layout); };
  call->backward = [=](const at::Tensor& dL_dy, const Tensors& x, const at::Tensor&,
                       const std::vector<bool>& wanted) {
    const auto [dL_dwaveform, dL_dcoefficients] =
        filter_bank_backward(dL_dy, x[0], x[1], layout, wanted[0], wanted[1]);
    return Tensors{dL_dwaveform, dL_dcoefficients};
  };
  call->double_backward = [=](const Tensors& v, const at::Tensor& dL_dy, const Tensors& x) {
    const auto of = [&](size_t i) { return to[i] && v[i].defined() ? std::optional(v[i]) : std::nullopt; };
    const auto [by_signal, by_waveform, by_coefficients] =
        filter_bank_double_backward(of(0), of(1), dL_dy, x[0], x[1], layout);
    return Tensors{by_signal, by_waveform, by_coefficients};
  };
  return call;
}

at::Tensor filter_bank_autograd(const at::Tensor& waveform, const at::Tensor& coefficients, int64_t order,
                                int64_t delay, int64_t window, double memory) {
  const FilterBankLayout layout{order, delay, window, memory};
  check_filter_bank(waveform, coefficients, layout);
  return differentiable_forward(filter_bank_call(layout), {waveform, coefficients});
}

template <auto differentiate>
std::tuple<at::Tensor, at::Tensor> filter_bank_once(const at::Tensor& dL_dy, const at::Tensor& waveform,
                                                    const at::Tensor& coefficients, int64_t order,
                                                    int64_t delay, int64_t window, double memory,
                                                    bool to_waveform, bool to_coefficients) {
  const FilterBankLayout layout{order, delay, window, memory};
  check_filter_bank_backward(dL_dy, waveform, coefficients, layout);
  const std::vector<bool> to{to_waveform, to_coefficients};
  const auto result = differentiate(filter_bank_call(layout, to), dL_dy, {waveform, coefficients}, {}, to);
  return {result[0], result[1]};
}

template <auto differentiate>
std::tuple<at::Tensor, at::Tensor, at::Tensor> filter_bank_twice(
    const std::optional<at::Tensor>& v_waveform, const std::optional<at::Tensor>& v_coefficients,
    const at::Tensor& dL_dy, const at::Tensor& waveform, const at::Tensor& coefficients, int64_t order,
    int64_t delay, int64_t window, double memory) {
  const FilterBankLayout layout{order, delay, window, memory};
  check_filter_bank_double_backward(v_waveform, v_coefficients, dL_dy, waveform, coefficients, layout);
  const auto result = differentiate(
      *filter_bank_call(layout), {v_waveform.value_or(at::Tensor()), v_coefficients.value_or(at::Tensor())},
      dL_dy, {waveform, coefficients});
  return {result[0], result[1], result[2]};
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("filter_bank", filter_bank_autograd);
  library.impl("filter_bank_backward", filter_bank_once<differentiable_backward>);
  library.impl("filter_bank_double_backward", filter_bank_twice<differentiate_reference>);
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("filter_bank_backward", filter_bank_once<backward_by_reference>);
  library.impl("filter_bank_double_backward", filter_bank_twice<differentiate_reference_below>);
}

}  // namespace
}  // namespace optotorch::ops
