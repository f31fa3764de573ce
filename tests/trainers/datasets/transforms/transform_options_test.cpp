#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/transforms/all.h>
#include <support/errors.h>

#include <limits>

namespace optotorch::transforms {
namespace {

const at::Tensor& bytes() {
  static const at::Tensor image = at::zeros({3, 10, 12}, at::kByte);
  return image;
}

const at::Tensor& floats() {
  static const at::Tensor image = at::zeros({3, 10, 12});
  return image;
}

using Numbers = std::vector<double>;
using Whole = std::vector<int64_t>;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(TransformOptions, SizesHaveRanges) {
  EXPECT_SAYS(Resize(0), "Resize: size: expected one or two numbers");
  EXPECT_SAYS(Resize(Whole{1, 2, 3}), "got [1, 2, 3]");
  EXPECT_SAYS(Resize(ResizeOptions(9).max_size(9)), "max_size: expected 0, or more");
  EXPECT_SAYS(Resize(ResizeOptions({9, 9}).max_size(20)), "max_size");
  EXPECT_SAYS(CenterCrop(-1), "CenterCrop: size");
  EXPECT_SAYS(RandomCrop(0), "RandomCrop: size");
  EXPECT_SAYS(RandomCrop(RandomCropOptions(1).padding({1, 2, 3})), "padding: expected 1, 2 or 4 numbers");
  EXPECT_SAYS(Pad(-1), "Pad: padding");
  EXPECT_SAYS(Pad(Whole{}), "Pad: padding");
  EXPECT_SAYS(GaussianBlur(4), "kernel_size: expected one or two odd numbers");
  EXPECT_SAYS(RandomResizedCrop(RandomResizedCropOptions(4).ratio({2, 1})), "ratio");
  EXPECT_SAYS(RandomResizedCrop(RandomResizedCropOptions(4).scale({nan, 1})), "scale");
}

TEST(TransformOptions, ProbabilitiesAreFromZeroToOne) {
  EXPECT_SAYS(RandomHorizontalFlip(1.5), "RandomHorizontalFlip: p: expected 0 to 1, got 1.5");
  EXPECT_SAYS(RandomVerticalFlip(-0.1), "RandomVerticalFlip: p");
  EXPECT_SAYS(RandomGrayscale(nan), "RandomGrayscale: p");
  EXPECT_SAYS(RandomInvert(2.0), "RandomInvert: p");
  EXPECT_SAYS(RandomEqualize(2.0), "RandomEqualize: p");
  EXPECT_SAYS(RandomAutocontrast(2.0), "RandomAutocontrast: p");
  EXPECT_SAYS(RandomPosterize(RandomPosterizeOptions(2).p(2)), "RandomPosterize: p");
  EXPECT_SAYS(RandomSolarize(RandomSolarizeOptions(2).p(2)), "RandomSolarize: p");
  EXPECT_SAYS(RandomAdjustSharpness(RandomAdjustSharpnessOptions(2).p(2)), "RandomAdjustSharpness: p");
  EXPECT_SAYS(RandomErasing(2.0), "RandomErasing: p");
  EXPECT_SAYS(RandomPerspective(RandomPerspectiveOptions().p(2)), "RandomPerspective: p");
}

TEST(TransformOptions, WarpsHaveRanges) {
  EXPECT_SAYS(RandomRotation(-1), "RandomRotation: degrees");
  EXPECT_SAYS(RandomRotation(Numbers{3, 2}), "RandomRotation: degrees");
  EXPECT_SAYS(RandomRotation(RandomRotationOptions(1).interpolation(Interpolation::bicubic)),
              "interpolation: expected nearest or bilinear, got bicubic");
  EXPECT_SAYS(RandomRotation(RandomRotationOptions(1).center({1})), "center: expected two numbers");
  EXPECT_SAYS(RandomAffine(RandomAffineOptions(1).translate({0.5, 2})), "translate");
  EXPECT_SAYS(RandomAffine(RandomAffineOptions(1).scale({0, 2})), "scale");
  EXPECT_SAYS(RandomAffine(RandomAffineOptions(1).shear({1, 2, 3})), "shear");
  EXPECT_SAYS(RandomPerspective(1.5), "distortion_scale");
  EXPECT_SAYS(RandomRotation(RandomRotationOptions(1).fill({1, 2})).apply(bytes()),
              "fill: expected one value, or one for each of 3 channels, got 2 values");
  EXPECT_SAYS(RandomRotation(RandomRotationOptions(1).fill({300})).apply(bytes()),
              "fill: expected 0 to 255 for uint8");
}

TEST(TransformOptions, ColoursHaveRanges) {
  EXPECT_SAYS(Grayscale(2), "num_output_channels: expected 1 or 3, got 2");
  EXPECT_SAYS(ColorJitter(ColorJitterOptions().hue({0.6})), "ColorJitter: hue");
  EXPECT_SAYS(ColorJitter(ColorJitterOptions().brightness({-0.6})), "ColorJitter: brightness");
  EXPECT_SAYS(ColorJitter(ColorJitterOptions().contrast({2, 1})), "ColorJitter: contrast");
  EXPECT_SAYS(RandomPosterize(9), "bits: expected 0 to 8, got 9");
  EXPECT_SAYS(RandomSolarize(256), "threshold");
  EXPECT_SAYS(RandomAdjustSharpness(-1), "sharpness_factor");
  EXPECT_SAYS(GaussianBlur(GaussianBlurOptions(3).sigma({0})), "sigma");
  EXPECT_SAYS(Normalize({0.5}, {0}), "std: expected numbers other than 0");
  EXPECT_SAYS(Normalize({}, {1}), "mean");
  EXPECT_SAYS(ConvertImageDtype(at::kComplexFloat), "dtype");
  EXPECT_SAYS(RandomErasing(RandomErasingOptions().scale({0.5, 1.5})), "scale");
  EXPECT_SAYS(RandAugment(RandAugmentOptions().magnitude(31)), "magnitude: expected 0 to 30, got 31");
  EXPECT_SAYS(TrivialAugmentWide(1), "num_magnitude_bins");
}

TEST(TransformOptions, ImagesMustSuit) {
  EXPECT_SAYS(RandomCrop(11).apply(bytes()),
              "image: expected at least 11 x 11, got 10 x 12, padding included");
  EXPECT_SAYS(Pad(PadOptions(10).padding_mode(PaddingMode::reflect)).apply(bytes()),
              "padding: expected at most 9 on a side of 10 with reflect, got 10");
  EXPECT_SAYS(Pad(PadOptions(1).fill(-1)).apply(bytes()), "fill: expected 0 to 255 for uint8, got -1");
  EXPECT_SAYS(GaussianBlur(21).apply(bytes()), "image: expected at least 11 x 11 for such a kernel");
  EXPECT_SAYS(Normalize({0.5}, {1}).apply(bytes()), "Put ConvertImageDtype before it");
  EXPECT_SAYS(Normalize({0.5, 0.5}, {1}).apply(floats()),
              "mean: expected one value, or one for each of 3 channels");
  EXPECT_SAYS(RandomEqualize(0.0).apply(floats()), "RandomEqualize: image: expected uint8, got float32");
  EXPECT_SAYS(RandomPosterize(2).apply(floats()), "expected uint8");
  EXPECT_SAYS(AutoAugment().apply(floats()), "expected uint8");
  EXPECT_SAYS(RandomSolarize(2).apply(floats()), "threshold: expected at most 1 for float32, got 2");
  EXPECT_SAYS(RandomErasing(RandomErasingOptions().random_value(true)).apply(bytes()),
              "Put it behind ConvertImageDtype");
  EXPECT_SAYS(Grayscale().apply(at::zeros({2, 4, 4})), "expected 1 or 3 channels, got float32 [2, 4, 4]");
  EXPECT_SAYS(ConvertImageDtype(at::kInt).apply(floats()), "digits suffice for int32");
}

}  // namespace
}  // namespace optotorch::transforms
