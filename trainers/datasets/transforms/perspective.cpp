#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_grid.h>
#include <optotorch/trainers/datasets/transforms/perspective.h>

namespace optotorch::transforms {
namespace {

Corners random_corners(int64_t width, int64_t height, double distortion, Draws& draws) {
  const auto reach = [&](int64_t side) {
    return static_cast<int64_t>(distortion * static_cast<double>(side / 2));
  };
  const int64_t dx = reach(width), dy = reach(height);
  const auto near = [&](int64_t distance) { return draws.integer(0, distance + 1); };
  const auto far = [&](int64_t side, int64_t distance) { return draws.integer(side - distance - 1, side); };
  Corners corners{};  // filled one by one: the order of draws counts
  corners[0][0] = near(dx);
  corners[0][1] = near(dy);
  corners[1][0] = far(width, dx);
  corners[1][1] = near(dy);
  corners[2][0] = far(width, dx);
  corners[2][1] = far(height, dy);
  corners[3][0] = near(dx);
  corners[3][1] = far(height, dy);
  return corners;
}

const RegisteredTransform random_perspective_type(
    transform_type<RandomPerspective>("RandomPerspective", RandomPerspectiveOptions()));

}  // namespace

RandomPerspective::RandomPerspective(RandomPerspectiveOptions given) : OptionsTransform(std::move(given)) {
  constexpr auto name = "RandomPerspective";
  OPTOTORCH_CHECK(options().distortion_scale() >= 0 && options().distortion_scale() <= 1, .where = name,
                  .argument = "distortion_scale", .expected = "0 to 1",
                  .got = c10::str(options().distortion_scale()));
  check_probability(name, options().p());
  check_warp(name, options().interpolation());
  check_numbers(name, "fill", options().fill());
  OPTOTORCH_CHECK(!options().fill().empty(), .where = name, .argument = "fill",
                  .expected = "one value, or one for each channel", .got = "none");
}

at::Tensor RandomPerspective::transform(const at::Tensor& image, Draws& draws) const {
  const auto fill = fill_for("RandomPerspective", options().fill(), image);
  if (!draws.below(options().p())) {
    return image;
  }
  const int64_t height = image.size(1), width = image.size(2);
  const Corners from{{{0, 0}, {width - 1, 0}, {width - 1, height - 1}, {0, height - 1}}};
  const auto to = random_corners(width, height, options().distortion_scale(), draws);
  return perspective(image, from, to, options().interpolation(), fill);
}

}  // namespace optotorch::transforms
