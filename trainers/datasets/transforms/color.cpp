#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/color.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_color.h>

#include <algorithm>
#include <array>
#include <limits>

namespace optotorch::transforms {
namespace {

/// Least and largest factor; empty where they leave the image alone.
std::vector<double> factors(const char* argument, const std::vector<double>& given, double center, double low,
                            double high) {
  constexpr auto name = "ColorJitter";
  check_numbers(name, argument, given);
  OPTOTORCH_CHECK(
      given.size() == 2 || (given.size() == 1 && given[0] >= 0), .where = name, .argument = argument,
      .expected = "a number that is at least 0, or least and largest factor", .got = text_of(given));
  auto range = given;
  if (given.size() == 1) {
    range = {center - given[0], center + given[0]};
    if (center == 1) {
      range[0] = std::max(range[0], 0.0);
    }
  }
  check_range(name, argument, range, low, high);
  return range[0] == center && range[1] == center ? std::vector<double>() : range;
}

const RegisteredTransform grayscale_type(transform_type<Grayscale>("Grayscale", GrayscaleOptions()));
const RegisteredTransform random_grayscale_type(transform_type<RandomGrayscale>("RandomGrayscale",
                                                                                RandomGrayscaleOptions()));
const RegisteredTransform color_jitter_type(transform_type<ColorJitter>("ColorJitter", ColorJitterOptions()));

}  // namespace

Grayscale::Grayscale(GrayscaleOptions options) : OptionsTransform(options) {
  const int64_t channels = options.num_output_channels();
  OPTOTORCH_CHECK(channels == 1 || channels == 3, .where = "Grayscale", .argument = "num_output_channels",
                  .expected = "1 or 3", .got = std::to_string(channels));
}

at::Tensor Grayscale::transform(const at::Tensor& image, Draws& /*draws*/) const {
  check_usual_image("Grayscale", image);
  return grey(image, options().num_output_channels());
}

RandomGrayscale::RandomGrayscale(RandomGrayscaleOptions options) : OptionsTransform(options) {
  check_probability("RandomGrayscale", options.p());
}

at::Tensor RandomGrayscale::transform(const at::Tensor& image, Draws& draws) const {
  check_usual_image("RandomGrayscale", image);
  return draws.below(options().p()) ? grey(image, image.size(0)) : image;
}

ColorJitter::ColorJitter(ColorJitterOptions options) : OptionsTransform(std::move(options)) {
  constexpr double most = std::numeric_limits<float>::max();
  const auto& given = this->options();
  ranges_ = {factors("brightness", given.brightness(), 1, 0, most),
             factors("contrast", given.contrast(), 1, 0, most),
             factors("saturation", given.saturation(), 1, 0, most),
             factors("hue", given.hue(), 0, -0.5, 0.5)};
}

at::Tensor ColorJitter::transform(const at::Tensor& image, Draws& draws) const {
  check_usual_image("ColorJitter", image);
  constexpr std::array adjust{adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue};
  const auto order = draws.permutation(4);
  std::array<double, 4> factor{};
  for (size_t i = 0; i < factor.size(); ++i) {
    factor[i] = ranges_[i].empty() ? 0 : draws.uniform(ranges_[i][0], ranges_[i][1]);
  }
  at::Tensor result = image;
  for (const int64_t each : order) {
    const auto i = static_cast<size_t>(each);
    if (!ranges_[i].empty()) {
      result = adjust[i](result, factor[i]);
    }
  }
  return result;
}

}  // namespace optotorch::transforms
