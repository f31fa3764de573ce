#include <ATen/ATen.h>
#include <optotorch/ops/sepn.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

at::Tensor like_if(const at::Tensor& tensor, bool wanted = true) {
  return wanted ? at::empty_symint(tensor.sym_sizes(), tensor.options()) : at::empty({0}, tensor.options());
}

at::Tensor sepn_meta(const at::Tensor& x, const at::Tensor& parameters, at::IntArrayRef features) {
  check_sepn(x, parameters, sepn_layout(x, features));
  return like_if(x);
}

std::tuple<at::Tensor, at::Tensor> sepn_backward_meta(const at::Tensor& dL_dy, const at::Tensor& x,
                                                      const at::Tensor& parameters, at::IntArrayRef features,
                                                      bool to_x, bool to_parameters) {
  check_sepn_backward(dL_dy, x, parameters, sepn_layout(x, features));
  return {like_if(x, to_x), like_if(parameters, to_parameters)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> sepn_double_backward_meta(
    const std::optional<at::Tensor>& v_x, const std::optional<at::Tensor>& v_parameters,
    const at::Tensor& dL_dy, const at::Tensor& x, const at::Tensor& parameters, at::IntArrayRef features) {
  check_sepn_double_backward(v_x, v_parameters, dL_dy, x, parameters, sepn_layout(x, features));
  return {like_if(x), like_if(x), like_if(parameters)};
}

TORCH_LIBRARY_IMPL(optotorch, Meta, library) {
  library.impl("sepn", sepn_meta);
  library.impl("sepn_backward", sepn_backward_meta);
  library.impl("sepn_double_backward", sepn_double_backward_meta);
}

}  // namespace
}  // namespace optotorch::ops
