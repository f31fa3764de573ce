#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <vector>

namespace optotorch::transforms {

/// Options for RandomPerspective.
struct RandomPerspectiveOptions {
  /// Distorts one image in two, by at most `distortion_scale`.
  RandomPerspectiveOptions(double distortion_scale = 0.5)
      : distortion_scale_(distortion_scale) {}  // NOLINT(google-explicit-constructor)

  /// How far corners move inwards, as a part of half the image, 0 to 1.
  TORCH_ARG(double, distortion_scale);
  /// Probability, 0 to 1.
  TORCH_ARG(double, p) = 0.5;
  /// Nearest or bilinear.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::bilinear;
  /// What lies outside: one value, or one for each channel.
  TORCH_ARG(std::vector<double>, fill) = {0};

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("distortion_scale", distortion_scale_);
    visit("p", p_);
    visit("interpolation", interpolation_);
    visit("fill", fill_);
  }
};

/// Looks at the image from a random side, with probability p.
class RandomPerspective : public OptionsTransform<RandomPerspectiveOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomPerspective(RandomPerspectiveOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

}  // namespace optotorch::transforms
