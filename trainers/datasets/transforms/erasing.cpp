#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_geometry.h>
#include <optotorch/trainers/datasets/transforms/detail/random_box.h>
#include <optotorch/trainers/datasets/transforms/erasing.h>

#include <limits>

namespace optotorch::transforms {
namespace {

const RegisteredTransform random_erasing_type(transform_type<RandomErasing>("RandomErasing",
                                                                            RandomErasingOptions()));

}  // namespace

RandomErasing::RandomErasing(RandomErasingOptions given) : OptionsTransform(std::move(given)) {
  constexpr auto name = "RandomErasing";
  check_probability(name, options().p());
  check_range(name, "scale", options().scale(), 0, 1);
  check_range(name, "ratio", options().ratio(), std::numeric_limits<float>::min(),
              std::numeric_limits<float>::max());
  check_numbers(name, "value", options().value());
  OPTOTORCH_CHECK(!options().value().empty(), .where = name, .argument = "value",
                  .expected = "one value, or one for each channel", .got = "none");
  log_ratio_ = log_of(options().ratio());
}

at::Tensor RandomErasing::transform(const at::Tensor& image, Draws& draws) const {
  constexpr auto name = "RandomErasing";
  const auto& value = options().value();
  if (options().random_value()) {
    OPTOTORCH_CHECK(image.is_floating_point(), .where = name, .argument = "image",
                    .expected = "float32 or float64 with random_value", .got = describe(image),
                    .remedy = "Put it behind ConvertImageDtype");
  } else {
    check_per_channel(name, "value", value, image);
    for (const double each : value) {
      check_fill(name, each, image);
    }
  }
  if (!draws.below(options().p())) {
    return image;
  }
  const int64_t height = image.size(1), width = image.size(2);
  for (int trial = 0; trial < 10; ++trial) {
    const auto [h, w] = random_sides(height * width, options().scale(), log_ratio_, draws);
    if (h >= height || w >= width) {
      continue;
    }
    const at::Tensor cover = options().random_value() ? draws.normal({image.size(0), h, w})
                                                      : at::tensor(value, at::kFloat).view({-1, 1, 1});
    const int64_t top = draws.integer(0, height - h + 1);
    const int64_t left = draws.integer(0, width - w + 1);
    at::Tensor result = image.clone();
    crop_view(result, top, left, h, w).copy_(cover);
    return result;
  }
  return image;
}

}  // namespace optotorch::transforms
