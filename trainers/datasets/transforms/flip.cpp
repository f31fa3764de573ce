#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_geometry.h>
#include <optotorch/trainers/datasets/transforms/flip.h>

namespace optotorch::transforms {
namespace {

const RegisteredTransform random_horizontal_flip_type(
    transform_type<RandomHorizontalFlip>("RandomHorizontalFlip", FlipOptions()));
const RegisteredTransform random_vertical_flip_type(transform_type<RandomVerticalFlip>("RandomVerticalFlip",
                                                                                       FlipOptions()));

}  // namespace

RandomHorizontalFlip::RandomHorizontalFlip(FlipOptions options) : OptionsTransform(options) {
  check_probability("RandomHorizontalFlip", options.p());
}

at::Tensor RandomHorizontalFlip::transform(const at::Tensor& image, Draws& draws) const {
  return draws.below(options().p()) ? hflip(image) : image;
}

RandomVerticalFlip::RandomVerticalFlip(FlipOptions options) : OptionsTransform(options) {
  check_probability("RandomVerticalFlip", options.p());
}

at::Tensor RandomVerticalFlip::transform(const at::Tensor& image, Draws& draws) const {
  return draws.below(options().p()) ? vflip(image) : image;
}

}  // namespace optotorch::transforms
