#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/interpolation.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <memory>
#include <string>
#include <vector>

namespace optotorch::transforms {

class AugmentationSpace;

/// The data set that a policy was learned on.
enum class AutoAugmentPolicy { imagenet, cifar10, svhn };

/// Their names.
const std::vector<std::string>& words(AutoAugmentPolicy);

/// Options for AutoAugment.
struct AutoAugmentOptions {
  /// Takes the policy that was learned on the data set `policy`.
  AutoAugmentOptions(AutoAugmentPolicy policy = AutoAugmentPolicy::imagenet)
      : policy_(policy) {}  // NOLINT(google-explicit-constructor)

  /// Data set that the policy was learned on.
  TORCH_ARG(AutoAugmentPolicy, policy);
  /// Nearest or bilinear.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::nearest;
  /// What lies outside: one value, or one for each channel; empty: 0.
  TORCH_ARG(std::vector<double>, fill);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("policy", policy_);
    visit("interpolation", interpolation_);
    visit("fill", fill_);
  }
};

/// One of 25 learned pairs of operations (Cubuk et al., arXiv:1805.09501). Of uint8 images with 1 or 3
/// channels.
class AutoAugment : public OptionsTransform<AutoAugmentOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit AutoAugment(AutoAugmentOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::shared_ptr<const AugmentationSpace> space_;
};

/// Options for RandAugment.
struct RandAugmentOptions {
  /// `num_ops` operations on every image.
  RandAugmentOptions(int64_t num_ops = 2) : num_ops_(num_ops) {}  // NOLINT(google-explicit-constructor)

  /// Operations, one behind the other; 0 to 1000.
  TORCH_ARG(int64_t, num_ops);
  /// Their strength, 0 to num_magnitude_bins - 1.
  TORCH_ARG(int64_t, magnitude) = 9;
  /// Steps of strength, 2 to 10,000.
  TORCH_ARG(int64_t, num_magnitude_bins) = 31;
  /// Nearest or bilinear.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::nearest;
  /// What lies outside: one value, or one for each channel; empty: 0.
  TORCH_ARG(std::vector<double>, fill);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("num_ops", num_ops_);
    visit("magnitude", magnitude_);
    visit("num_magnitude_bins", num_magnitude_bins_);
    visit("interpolation", interpolation_);
    visit("fill", fill_);
  }
};

/// Random operations of one strength (Cubuk et al., arXiv:1909.13719). Of uint8 images with 1 or 3 channels.
class RandAugment : public OptionsTransform<RandAugmentOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit RandAugment(RandAugmentOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::shared_ptr<const AugmentationSpace> space_;
};

/// Options for TrivialAugmentWide.
struct TrivialAugmentWideOptions {
  /// Strengths in `num_magnitude_bins` steps.
  TrivialAugmentWideOptions(int64_t num_magnitude_bins = 31)
      : num_magnitude_bins_(num_magnitude_bins) {}  // NOLINT(google-explicit-constructor)

  /// Steps of strength, 2 to 10,000.
  TORCH_ARG(int64_t, num_magnitude_bins);
  /// Nearest or bilinear.
  TORCH_ARG(Interpolation, interpolation) = Interpolation::nearest;
  /// What lies outside: one value, or one for each channel; empty: 0.
  TORCH_ARG(std::vector<double>, fill);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("num_magnitude_bins", num_magnitude_bins_);
    visit("interpolation", interpolation_);
    visit("fill", fill_);
  }
};

/// One random operation of random strength (Mueller, Hutter, arXiv:2103.10158). Of uint8 images with 1 or 3
/// channels.
class TrivialAugmentWide : public OptionsTransform<TrivialAugmentWideOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit TrivialAugmentWide(TrivialAugmentWideOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;

 private:
  std::shared_ptr<const AugmentationSpace> space_;
};

}  // namespace optotorch::transforms
