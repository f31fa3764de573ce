#pragma once

// What AutoAugment, RandAugment and TrivialAugmentWide choose from: operations and their strengths.

#include <ATen/core/Tensor.h>
#include <optotorch/trainers/datasets/transforms/auto_augment.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_grid.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace optotorch::transforms {

/// In the order in which RandAugment and TrivialAugmentWide count them.
enum class Operation {
  identity,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  rotate,
  brightness,
  color,
  contrast,
  sharpness,
  posterize,
  solarize,
  autocontrast,
  equalize,
  invert,  ///< only AutoAugment knows it
};

/// How many of them RandAugment and TrivialAugmentWide know.
inline constexpr int64_t counted_operations = 14;

/// The largest strengths of the operations; the least are 0.
struct StrengthRanges {
  double shear = 0.3;
  std::optional<double> translate;  ///< pixels; none: 150 / 331 of the side
  double rotate = 30.0;             ///< degrees
  double colour = 0.9;              ///< brightness, colour, contrast and sharpness
  double posterize = 4;             ///< bits that go
};

class AugmentationSpace {
 public:
  AugmentationSpace(int64_t bins, const StrengthRanges& ranges);

  int64_t bins() const { return bins_; }
  /// Whether it has strengths at all.
  static bool has_strength(Operation operation);
  /// Whether its strength has a sign, drawn at random.
  static bool is_signed(Operation operation);
  /// Strength `bin` for an image, a float32 widened; 0 of an operation without any.
  double strength(Operation operation, int64_t bin, const at::Tensor& image) const;

 private:
  int64_t bins_;
  StrengthRanges ranges_;
  std::vector<float> shear_, rotate_, colour_, posterize_, solarize_;
  std::vector<float> translate_;  // empty: depends on the image
};

/// An operation that a policy names: with which probability, and at which strength.
struct Step {
  Operation operation;
  float p;
  int64_t bin = -1;  ///< -1: without
};

/// The 25 pairs of a policy.
const std::vector<std::array<Step, 2>>& steps_of(AutoAugmentPolicy policy);

at::Tensor apply_operation(const at::Tensor& image, Operation operation, double strength,
                           Interpolation interpolation, const Fill& fill);

}  // namespace optotorch::transforms
