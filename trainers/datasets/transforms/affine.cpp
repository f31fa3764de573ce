#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/affine.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_grid.h>

#include <cmath>
#include <limits>

namespace optotorch::transforms {
namespace {

constexpr double most_pixels_moved = std::numeric_limits<float>::max() / 4;

/// One number d becomes -d to d.
std::vector<double> angles(const char* where, const char* argument, const std::vector<double>& given) {
  check_numbers(where, argument, given);
  OPTOTORCH_CHECK(given.size() == 2 || (given.size() == 1 && given[0] >= 0), .where = where,
                  .argument = argument, .expected = "a number that is at least 0, or least and largest",
                  .got = text_of(given));
  const auto range = given.size() == 1 ? std::vector<double>{-given[0], given[0]} : given;
  check_range(where, argument, range, -most_pixels_moved, most_pixels_moved);
  return range;
}

void check_outside(const char* where, const std::vector<double>& fill) {
  check_numbers(where, "fill", fill);
  OPTOTORCH_CHECK(!fill.empty(), .where = where, .argument = "fill",
                  .expected = "one value, or one for each channel", .got = "none");
}

const RegisteredTransform random_rotation_type(transform_type<RandomRotation>("RandomRotation",
                                                                              RandomRotationOptions(0),
                                                                              /*required=*/1));
const RegisteredTransform random_affine_type(transform_type<RandomAffine>("RandomAffine",
                                                                          RandomAffineOptions(0),
                                                                          /*required=*/1));

}  // namespace

RandomRotation::RandomRotation(RandomRotationOptions options)
    : OptionsTransform(std::move(options)),
      degrees_(angles("RandomRotation", "degrees", this->options().degrees())) {
  check_warp("RandomRotation", this->options().interpolation());
  check_centre("RandomRotation", this->options().center());
  check_outside("RandomRotation", this->options().fill());
}

at::Tensor RandomRotation::transform(const at::Tensor& image, Draws& draws) const {
  const auto fill = fill_for("RandomRotation", options().fill(), image);
  const double angle = draws.uniform(degrees_[0], degrees_[1]);
  return rotate(image, angle, options().interpolation(), fill, options().expand(), options().center());
}

RandomAffine::RandomAffine(RandomAffineOptions given)
    : OptionsTransform(std::move(given)), degrees_(angles("RandomAffine", "degrees", options().degrees())) {
  constexpr auto name = "RandomAffine";
  const auto& translate = options().translate();
  const auto is_part = [](double value) { return value >= 0 && value <= 1; };
  OPTOTORCH_CHECK(
      translate.empty() || (translate.size() == 2 && is_part(translate[0]) && is_part(translate[1])),
      .where = name, .argument = "translate", .expected = "two numbers from 0 to 1, or none",
      .got = text_of(translate));
  if (!options().scale().empty()) {
    check_range(name, "scale", options().scale(), std::numeric_limits<float>::min(), most_pixels_moved);
  }
  const auto& shear = options().shear();
  if (shear.size() == 4) {
    check_range(name, "shear", {shear[0], shear[1]}, -most_pixels_moved, most_pixels_moved);
    check_range(name, "shear", {shear[2], shear[3]}, -most_pixels_moved, most_pixels_moved);
    shear_ = shear;
  } else if (!shear.empty()) {
    shear_ = angles(name, "shear", shear);
  }
  check_warp(name, options().interpolation());
  check_centre(name, options().center());
  check_outside(name, options().fill());
}

at::Tensor RandomAffine::transform(const at::Tensor& image, Draws& draws) const {
  const auto fill = fill_for("RandomAffine", options().fill(), image);
  AffineMap map;
  map.angle = draws.uniform(degrees_[0], degrees_[1]);
  if (const auto& translate = options().translate(); !translate.empty()) {
    const auto shift = [&](double part, int64_t side) {
      const double largest = part * static_cast<double>(side);
      return std::nearbyint(draws.uniform(-largest, largest));
    };
    map.translate[0] = shift(translate[0], image.size(2));
    map.translate[1] = shift(translate[1], image.size(1));
  }
  if (const auto& scale = options().scale(); !scale.empty()) {
    map.scale = draws.uniform(scale[0], scale[1]);
  }
  if (!shear_.empty()) {
    map.shear[0] = draws.uniform(shear_[0], shear_[1]);
    map.shear[1] = shear_.size() == 4 ? draws.uniform(shear_[2], shear_[3]) : 0.0;
  }
  return affine(image, map, options().interpolation(), fill, options().center());
}

}  // namespace optotorch::transforms
