#include <ATen/ATen.h>
#include <optotorch/ops/filter_bank.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor empty_like_if(const at::Tensor& tensor, bool wanted) {
  return wanted ? at::empty_symint(tensor.sym_sizes(), tensor.options()) : at::empty({0}, tensor.options());
}

at::Tensor filter_bank_meta(const at::Tensor& waveform, const at::Tensor& coefficients, int64_t order,
                            int64_t delay, int64_t window, double memory) {
  check_filter_bank(waveform, coefficients, {order, delay, window, memory});
  return at::empty_symint({waveform.sym_size(0), coefficients.sym_size(0), waveform.sym_size(1) / window},
                          waveform.options().dtype(c10::toRealValueType(waveform.scalar_type())));
}

std::tuple<at::Tensor, at::Tensor> filter_bank_backward_meta(const at::Tensor& dL_dy,
                                                             const at::Tensor& waveform,
                                                             const at::Tensor& coefficients, int64_t order,
                                                             int64_t delay, int64_t window, double memory,
                                                             bool to_waveform, bool to_coefficients) {
  check_filter_bank_backward(dL_dy, waveform, coefficients, {order, delay, window, memory});
  return {empty_like_if(waveform, to_waveform), empty_like_if(coefficients, to_coefficients)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> filter_bank_double_backward_meta(
    const std::optional<at::Tensor>& v_waveform, const std::optional<at::Tensor>& v_coefficients,
    const at::Tensor& dL_dy, const at::Tensor& waveform, const at::Tensor& coefficients, int64_t order,
    int64_t delay, int64_t window, double memory) {
  check_filter_bank_double_backward(v_waveform, v_coefficients, dL_dy, waveform, coefficients,
                                    {order, delay, window, memory});
  return {empty_like_if(dL_dy, true), empty_like_if(waveform, true), empty_like_if(coefficients, true)};
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("filter_bank", filter_bank_meta);
  library.impl("filter_bank_backward", filter_bank_backward_meta);
  library.impl("filter_bank_double_backward", filter_bank_double_backward_meta);
}

}  // namespace
}  // namespace optotorch::ops
