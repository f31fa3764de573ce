#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch::transforms {

/// Options for RandomRotation: RandomRotationOptions(15), RandomRotationOptions({-10, 30}).
struct RandomRotationOptions {
  /// Angles from -`degrees` to `degrees`.
  RandomRotationOptions(double degrees) : degrees_{degrees} {}  // NOLINT(google-explicit-constructor)
  /// Least and largest angle; one number d: -d to d.
  RandomRotationOptions(std::vector<double> degrees)
      : degrees_(std::move(degrees)) {}  // NOLINT(google-explicit-constructor)

  /// Least and largest angle, counter-clockwise; one number d >= 0: -d to d.
  TORCH_ARG(std::vector<double>, degrees);
  /// Nearest or bilinear.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::nearest;
  /// Makes the result so large that it holds all of the image.
  TORCH_ARG(bool, expand) = false;
  /// (x, y) from the upper left corner; empty: the middle.
  TORCH_ARG(std::vector<double>, center);
  /// What lies outside: one value, or one for each channel.
  TORCH_ARG(std::vector<double>, fill) = {0};

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("degrees", degrees_);
    visit("interpolation", interpolation_);
    visit("expand", expand_);
    visit("center", center_);
    visit("fill", fill_);
  }
};

/// Rotates by a random angle.
class RandomRotation : public OptionsTransform<RandomRotationOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomRotation(RandomRotationOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::vector<double> degrees_;
};

/// Options for RandomAffine.
struct RandomAffineOptions {
  /// Rotation by -`degrees` to `degrees`; no shift, scale or shear.
  RandomAffineOptions(double degrees) : degrees_{degrees} {}  // NOLINT(google-explicit-constructor)
  /// Least and largest angle; one number d: -d to d.
  RandomAffineOptions(std::vector<double> degrees)
      : degrees_(std::move(degrees)) {}  // NOLINT(google-explicit-constructor)

  /// Least and largest angle, clockwise; one number d >= 0: -d to d.
  TORCH_ARG(std::vector<double>, degrees);
  /// Largest shift to the right or left and down or up, as a part of width and height, 0 to 1; empty: none.
  TORCH_ARG(std::vector<double>, translate);
  /// Least and largest factor, above 0; empty: 1.
  TORCH_ARG(std::vector<double>, scale);
  /// Shear in degrees: one number s >= 0, -s to s along x; two, along x; four, along x and along y. Empty:
  /// none.
  TORCH_ARG(std::vector<double>, shear);
  /// Nearest or bilinear.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::nearest;
  /// What lies outside: one value, or one for each channel.
  TORCH_ARG(std::vector<double>, fill) = {0};
  /// (x, y) from the upper left corner; empty: the middle.
  TORCH_ARG(std::vector<double>, center);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("degrees", degrees_);
    visit("translate", translate_);
    visit("scale", scale_);
    visit("shear", shear_);
    visit("interpolation", interpolation_);
    visit("fill", fill_);
    visit("center", center_);
  }
};

/// Rotates, shifts, scales and shears at random.
class RandomAffine : public OptionsTransform<RandomAffineOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandomAffine(RandomAffineOptions options);
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::vector<double> degrees_, shear_;
};

}  // namespace optotorch::transforms
