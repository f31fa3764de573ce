#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/compose.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>

namespace optotorch::transforms {
namespace {

void check_all(const char* where, const Transforms& transforms) {
  for (size_t i = 0; i < transforms.size(); ++i) {
    OPTOTORCH_CHECK(transforms[i] != nullptr, .where = where, .argument = c10::str("transforms[", i, "]"),
                    .expected = "a transform", .got = "none");
  }
}

at::Tensor apply_all(const Transforms& transforms, at::Tensor image, Draws& draws) {
  for (const auto& each : transforms) {
    image = each->transform(image, draws);
  }
  return image;
}

}  // namespace

Compose::Compose(Transforms transforms) : transforms_(std::move(transforms)) {
  check_all("Compose", transforms_);
}

at::Tensor Compose::transform(const at::Tensor& image, Draws& draws) const {
  return apply_all(transforms_, image, draws);
}

RandomApply::RandomApply(Transforms transforms, double p) : transforms_(std::move(transforms)), p_(p) {
  check_all("RandomApply", transforms_);
  check_probability("RandomApply", p);
}

at::Tensor RandomApply::transform(const at::Tensor& image, Draws& draws) const {
  // Not `below`: a draw that equals p applies them.
  return static_cast<float>(p_) < draws.unit() ? image : apply_all(transforms_, image, draws);
}

}  // namespace optotorch::transforms
