#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/blur.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_filter.h>

#include <algorithm>
#include <limits>

namespace optotorch::transforms {
namespace {

const RegisteredTransform gaussian_blur_type(transform_type<GaussianBlur>("GaussianBlur",
                                                                          GaussianBlurOptions(1),
                                                                          /*required=*/1));
const RegisteredTransform random_adjust_sharpness_type(transform_type<RandomAdjustSharpness>(
    "RandomAdjustSharpness", RandomAdjustSharpnessOptions(1), /*required=*/1));

}  // namespace

GaussianBlur::GaussianBlur(GaussianBlurOptions given) : OptionsTransform(std::move(given)) {
  constexpr auto name = "GaussianBlur";
  const auto& size = options().kernel_size();
  const bool fits =
      (size.size() == 1 || size.size() == 2) && std::all_of(size.begin(), size.end(), [](int64_t side) {
        return side >= 1 && side <= longest_side && side % 2 == 1;
      });
  OPTOTORCH_CHECK(fits, .where = name, .argument = "kernel_size",
                  .expected = "one or two odd numbers that are at least 1", .got = text_of(size));
  const auto& sigma = options().sigma();
  check_range(name, "sigma", sigma.size() == 1 ? std::vector<double>{sigma[0], sigma[0]} : sigma,
              std::numeric_limits<float>::min(), std::numeric_limits<float>::max());
}

at::Tensor GaussianBlur::transform(const at::Tensor& image, Draws& draws) const {
  check_usual_type("GaussianBlur", image);
  const int64_t width = options().kernel_size().front(), height = options().kernel_size().back();
  OPTOTORCH_CHECK(
      width / 2 < image.size(2) && height / 2 < image.size(1), .where = "GaussianBlur", .argument = "image",
      .expected = c10::str("at least ", height / 2 + 1, " x ", width / 2 + 1, " for such a kernel"),
      .got = describe(image));
  const double sigma = draws.uniform(options().sigma().front(), options().sigma().back());
  return gaussian_blur(image, {width, height}, sigma);
}

RandomAdjustSharpness::RandomAdjustSharpness(RandomAdjustSharpnessOptions given) : OptionsTransform(given) {
  constexpr auto name = "RandomAdjustSharpness";
  OPTOTORCH_CHECK(
      given.sharpness_factor() >= 0 && given.sharpness_factor() <= std::numeric_limits<float>::max(),
      .where = name, .argument = "sharpness_factor", .expected = "a number that is at least 0",
      .got = c10::str(given.sharpness_factor()));
  check_probability(name, given.p());
}

at::Tensor RandomAdjustSharpness::transform(const at::Tensor& image, Draws& draws) const {
  check_usual_type("RandomAdjustSharpness", image);
  check_colours("RandomAdjustSharpness", image);
  return draws.item_below(options().p()) ? adjust_sharpness(image, options().sharpness_factor()) : image;
}

}  // namespace optotorch::transforms
