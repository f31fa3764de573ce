#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/augmentation_space.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_color.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_filter.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_tone.h>

#include <cmath>

namespace optotorch::transforms {
namespace {

std::vector<float> values_of(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kFloat).contiguous();
  return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel()};
}

/// LibTorch's: others round otherwise.
std::vector<float> linspace(double from, double to, int64_t count) {
  return values_of(at::linspace(from, to, count, at::kFloat));
}

double degrees_of_slope(double slope) {
  constexpr double pi = 3.14159265358979323846;
  return std::atan(slope) * (180.0 / pi);
}

AffineMap shifted(double x, double y) {
  return {.translate = {std::trunc(x), std::trunc(y)}};
}

}  // namespace

AugmentationSpace::AugmentationSpace(int64_t bins, const StrengthRanges& ranges)
    : bins_(bins),
      ranges_(ranges),
      shear_(linspace(0.0, ranges.shear, bins)),
      rotate_(linspace(0.0, ranges.rotate, bins)),
      colour_(linspace(0.0, ranges.colour, bins)),
      posterize_(
          values_of(8 - (at::arange(bins, at::kLong) / (static_cast<double>(bins - 1) / ranges.posterize))
                            .round()
                            .to(at::kInt))),
      solarize_(linspace(255.0, 0.0, bins)) {
  if (ranges.translate.has_value()) {
    translate_ = linspace(0.0, *ranges.translate, bins);
  }
}

bool AugmentationSpace::has_strength(Operation operation) {
  switch (operation) {
    case Operation::identity:
    case Operation::autocontrast:
    case Operation::equalize:
    case Operation::invert:
      return false;
    default:
      return true;
  }
}

bool AugmentationSpace::is_signed(Operation operation) {
  return has_strength(operation) && operation != Operation::posterize && operation != Operation::solarize;
}

double AugmentationSpace::strength(Operation operation, int64_t bin, const at::Tensor& image) const {
  const auto at_bin = [&](const std::vector<float>& values) {
    return static_cast<double>(values.at(static_cast<size_t>(bin)));
  };
  switch (operation) {
    case Operation::shear_x:
    case Operation::shear_y:
      return at_bin(shear_);
    case Operation::translate_x:
    case Operation::translate_y: {
      if (!translate_.empty()) {
        return at_bin(translate_);
      }
      const int64_t side = image.size(operation == Operation::translate_x ? 2 : 1);
      return at_bin(linspace(0.0, 150.0 / 331.0 * static_cast<double>(side), bins_));
    }
    case Operation::rotate:
      return at_bin(rotate_);
    case Operation::brightness:
    case Operation::color:
    case Operation::contrast:
    case Operation::sharpness:
      return at_bin(colour_);
    case Operation::posterize:
      return at_bin(posterize_);
    case Operation::solarize:
      return at_bin(solarize_);
    default:
      return 0.0;
  }
}

at::Tensor apply_operation(const at::Tensor& image, Operation operation, double strength,
                           Interpolation interpolation, const Fill& fill) {
  switch (operation) {
    case Operation::shear_x:  // about the upper left corner
      return affine(image, {.shear = {degrees_of_slope(strength), 0.0}}, interpolation, fill, {0, 0});
    case Operation::shear_y:
      return affine(image, {.shear = {0.0, degrees_of_slope(strength)}}, interpolation, fill, {0, 0});
    case Operation::translate_x:
      return affine(image, shifted(strength, 0), interpolation, fill);
    case Operation::translate_y:
      return affine(image, shifted(0, strength), interpolation, fill);
    case Operation::rotate:
      return rotate(image, strength, interpolation, fill);
    case Operation::brightness:
      return adjust_brightness(image, 1.0 + strength);
    case Operation::color:
      return adjust_saturation(image, 1.0 + strength);
    case Operation::contrast:
      return adjust_contrast(image, 1.0 + strength);
    case Operation::sharpness:
      return adjust_sharpness(image, 1.0 + strength);
    case Operation::posterize:
      return posterize(image, static_cast<int64_t>(strength));
    case Operation::solarize:
      return solarize(image, strength);
    case Operation::autocontrast:
      return autocontrast(image);
    case Operation::equalize:
      return equalize(image);
    case Operation::invert:
      return invert(image);
    default:
      return image;
  }
}

}  // namespace optotorch::transforms
