#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/transform.h>

namespace optotorch::transforms {

at::Tensor Transform::apply(const at::Tensor& image, std::optional<at::Generator> random) const {
  check_image(image);
  const at::NoGradGuard no_grad;
  Draws draws(std::move(random));
  return transform(image, draws);
}

}  // namespace optotorch::transforms
