#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/auto_augment.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/augmentation_space.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>

namespace optotorch::transforms {
namespace {

constexpr StrengthRanges usual_ranges{};
constexpr StrengthRanges wide_ranges{
    .shear = 0.99, .translate = 32.0, .rotate = 135.0, .colour = 0.99, .posterize = 6};

void check_count(const char* where, const char* argument, int64_t value, int64_t least, int64_t most) {
  OPTOTORCH_CHECK(value >= least && value <= most, .where = where, .argument = argument,
                  .expected = c10::str(least, " to ", most), .got = std::to_string(value));
}

template <typename Options>
void check_warps(const char* where, const Options& options) {
  check_warp(where, options.interpolation());
  check_numbers(where, "fill", options.fill());
}

std::shared_ptr<const AugmentationSpace> space_of(const char* where, int64_t bins,
                                                  const StrengthRanges& ranges) {
  check_count(where, "num_magnitude_bins", bins, 2, 10'000);
  return std::make_shared<const AugmentationSpace>(bins, ranges);
}

void check_byte_image(const char* where, const at::Tensor& image) {
  check_bytes(where, image);
  check_colours(where, image);
}

const RegisteredTransform auto_augment_type(transform_type<AutoAugment>("AutoAugment", AutoAugmentOptions()));
const RegisteredTransform rand_augment_type(transform_type<RandAugment>("RandAugment", RandAugmentOptions()));
const RegisteredTransform trivial_augment_wide_type(
    transform_type<TrivialAugmentWide>("TrivialAugmentWide", TrivialAugmentWideOptions()));

}  // namespace

AutoAugment::AutoAugment(AutoAugmentOptions options)
    : OptionsTransform(std::move(options)), space_(space_of("AutoAugment", 10, usual_ranges)) {
  check_warps("AutoAugment", this->options());
}

at::Tensor AutoAugment::transform(const at::Tensor& image, Draws& draws) const {
  check_byte_image("AutoAugment", image);
  const auto fill = fill_for("AutoAugment", options().fill(), image);
  const auto& pairs = steps_of(options().policy());
  const auto& pair = pairs.at(static_cast<size_t>(draws.integer(0, static_cast<int64_t>(pairs.size()))));
  std::array<float, 2> chance{};
  std::array<bool, 2> is_negative{};
  for (float& each : chance) {
    each = draws.unit();
  }
  for (bool& each : is_negative) {
    each = draws.integer(0, 2) == 0;
  }
  at::Tensor result = image;
  for (size_t i = 0; i < pair.size(); ++i) {
    const auto& step = pair[i];
    if (chance[i] <= step.p) {
      // The sides are those of the image that came, whatever the first step made of it.
      const double strength = step.bin < 0 ? 0.0 : space_->strength(step.operation, step.bin, image);
      const bool turned = is_negative[i] && AugmentationSpace::is_signed(step.operation);
      result = apply_operation(result, step.operation, turned ? -strength : strength,
                               options().interpolation(), fill);
    }
  }
  return result;
}

RandAugment::RandAugment(RandAugmentOptions options)
    : OptionsTransform(std::move(options)),
      space_(space_of("RandAugment", this->options().num_magnitude_bins(), usual_ranges)) {
  check_warps("RandAugment", this->options());
  check_count("RandAugment", "num_ops", this->options().num_ops(), 0, 1000);
  check_count("RandAugment", "magnitude", this->options().magnitude(), 0, space_->bins() - 1);
}

at::Tensor RandAugment::transform(const at::Tensor& image, Draws& draws) const {
  check_byte_image("RandAugment", image);
  const auto fill = fill_for("RandAugment", options().fill(), image);
  at::Tensor result = image;
  for (int64_t i = 0; i < options().num_ops(); ++i) {
    const auto operation = static_cast<Operation>(draws.integer(0, counted_operations));
    double strength = space_->strength(operation, options().magnitude(), image);
    if (AugmentationSpace::is_signed(operation) && draws.integer(0, 2) != 0) {
      strength = -strength;
    }
    result = apply_operation(result, operation, strength, options().interpolation(), fill);
  }
  return result;
}

TrivialAugmentWide::TrivialAugmentWide(TrivialAugmentWideOptions options)
    : OptionsTransform(std::move(options)),
      space_(space_of("TrivialAugmentWide", this->options().num_magnitude_bins(), wide_ranges)) {
  check_warps("TrivialAugmentWide", this->options());
}

at::Tensor TrivialAugmentWide::transform(const at::Tensor& image, Draws& draws) const {
  check_byte_image("TrivialAugmentWide", image);
  const auto fill = fill_for("TrivialAugmentWide", options().fill(), image);
  const auto operation = static_cast<Operation>(draws.integer(0, counted_operations));
  double strength = 0.0;
  if (AugmentationSpace::has_strength(operation)) {
    strength = space_->strength(operation, draws.integer(0, space_->bins()), image);
  }
  if (AugmentationSpace::is_signed(operation) && draws.integer(0, 2) != 0) {
    strength = -strength;
  }
  return apply_operation(image, operation, strength, options().interpolation(), fill);
}

}  // namespace optotorch::transforms
