#include <ATen/ATen.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/photodetect.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

/// The backward operator is made of ATen's: no double backward is needed, its node is never made.
at::Tensor photodetect_autograd(const at::Tensor& field, double shot, double thermal, int64_t seed,
                                int64_t counter) {
  check_photodetect(field, shot, thermal);
  auto call = std::make_shared<DifferentiableCall>();
  call->forward = [=](const Tensors& x) { return photodetect(x[0], shot, thermal, seed, counter); };
  call->reference = [=](const Tensors& x) {
    const auto mean = photodetect_reference(x[0]);
    if (shot == 0 && thermal == 0) {
      return mean;
    }
    const auto still = x[0].detach();
    return mean + (photodetect(still, shot, thermal, seed, counter) - photodetect(still));
  };
  call->backward = [](const at::Tensor& dL_dintensity, const Tensors& x, const at::Tensor&,
                      const std::vector<bool>&) {
    return Tensors{photodetect_backward(dL_dintensity, x[0])};
  };
  return differentiable_forward(call, {field});
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("photodetect", photodetect_autograd);
}

}  // namespace
}  // namespace optotorch::ops
