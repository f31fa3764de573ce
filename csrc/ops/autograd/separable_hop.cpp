#include <ATen/ATen.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/separable_hop.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

/// The backward operator is made of this one and ATen's: no double backward is needed, its node is never made.
at::Tensor separable_hop_autograd(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across) {
  check_separable_hop(field, down, across);
  auto call = std::make_shared<DifferentiableCall>();
  call->forward = [](const Tensors& x) { return separable_hop(x[0], x[1], x[2]); };
  call->reference = [](const Tensors& x) { return separable_hop_reference(x[0], x[1], x[2]); };
  call->backward = [](const at::Tensor& dL_dy, const Tensors& x, const at::Tensor&,
                      const std::vector<bool>& wanted) {
    const auto [dL_dfield, dL_ddown, dL_dacross] =
        separable_hop_backward(dL_dy, x[0], x[1], x[2], wanted[0], wanted[1] || wanted[2]);
    return Tensors{dL_dfield, dL_ddown, dL_dacross};
  };
  return differentiable_forward(call, {field, down, across});
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("separable_hop", separable_hop_autograd);
}

}  // namespace
}  // namespace optotorch::ops
