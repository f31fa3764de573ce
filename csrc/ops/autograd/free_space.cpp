#include <ATen/ATen.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/free_space.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

/// The backward operator is made of this one and ATen's: no double backward is needed, its node is never made.
at::Tensor free_space_autograd(const at::Tensor& field, const at::Tensor& transfer, int64_t height,
                               int64_t width) {
  check_free_space(field, transfer, height, width);
  auto call = std::make_shared<DifferentiableCall>();
  call->forward = [=](const Tensors& x) { return free_space(x[0], x[1], height, width); };
  call->reference = [=](const Tensors& x) { return free_space_reference(x[0], x[1], height, width); };
  call->backward = [](const at::Tensor& dL_dy, const Tensors& x, const at::Tensor&,
                      const std::vector<bool>& wanted) {
    const auto [dL_dfield, dL_dtransfer] = free_space_backward(dL_dy, x[0], x[1], wanted[0], wanted[1]);
    return Tensors{dL_dfield, dL_dtransfer};
  };
  return differentiable_forward(call, {field, transfer});
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("free_space", free_space_autograd);
}

}  // namespace
}  // namespace optotorch::ops
