#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <vector>

namespace optotorch::transforms {

/// Options for Grayscale.
struct GrayscaleOptions {
  /// Grey images of `num_output_channels` channels.
  GrayscaleOptions(int64_t num_output_channels = 1)
      : num_output_channels_(num_output_channels) {}  // NOLINT(google-explicit-constructor)

  /// 1, or 3 that are equal. An image of one channel keeps one, as in torchvision.
  TORCH_ARG(int64_t, num_output_channels);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("num_output_channels", num_output_channels_); }
};

/// 0.2989 R + 0.587 G + 0.114 B; bytes are cut.
class Grayscale : public OptionsTransform<GrayscaleOptions> {
 public:
  /// Throws c10::ValueError unless num_output_channels is 1 or 3.
  explicit Grayscale(GrayscaleOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for RandomGrayscale.
struct RandomGrayscaleOptions {
  /// Makes images grey with probability `p`.
  RandomGrayscaleOptions(double p = 0.1) : p_(p) {}  // NOLINT(google-explicit-constructor)

  /// Probability, 0 to 1.
  TORCH_ARG(double, p);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("p", p_); }
};

/// Grey, in as many channels as before, with probability p.
class RandomGrayscale : public OptionsTransform<RandomGrayscaleOptions> {
 public:
  /// Throws c10::ValueError unless 0 <= p <= 1.
  explicit RandomGrayscale(RandomGrayscaleOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for ColorJitter. Each is one number v >= 0, a factor from max(0, 1 - v) to 1 + v (of hue -v to v),
/// or the least and largest factor; {0}: left alone.
struct ColorJitterOptions {
  /// Brightness; factor 0: black.
  TORCH_ARG(std::vector<double>, brightness) = {0};
  /// Contrast; factor 0: the image's mean grey.
  TORCH_ARG(std::vector<double>, contrast) = {0};
  /// Saturation; factor 0: grey.
  TORCH_ARG(std::vector<double>, saturation) = {0};
  /// A part of the colour circle, at most 0.5 to either side.
  TORCH_ARG(std::vector<double>, hue) = {0};

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("brightness", brightness_);
    visit("contrast", contrast_);
    visit("saturation", saturation_);
    visit("hue", hue_);
  }
};

/// Changes brightness, contrast, saturation and hue by random factors in random order.
class ColorJitter : public OptionsTransform<ColorJitterOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit ColorJitter(ColorJitterOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::vector<std::vector<double>> ranges_;  // brightness, contrast, saturation, hue; empty: left alone
};

}  // namespace optotorch::transforms
