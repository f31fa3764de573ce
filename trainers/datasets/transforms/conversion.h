#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/transform.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch::transforms {

/// Options for ConvertImageDtype.
struct ConvertImageDtypeOptions {
  /// Images of type `dtype`.
  ConvertImageDtypeOptions(at::ScalarType dtype = at::kFloat)
      : dtype_(dtype) {}  // NOLINT(google-explicit-constructor)

  /// at::kByte, kChar, kShort, kInt, kLong, kFloat or kDouble.
  TORCH_ARG(at::ScalarType, dtype);

 public:
  /// Every option by name (fields.h): "uint8", "int8", "int16", "int32", "int64", "float32", "float64".
  void fields(FieldVisitor& visit);
};

/// The image in another type, its range to the range of that: bytes / 255 in float, floats * 255.999 cut to
/// bytes. Throws c10::ValueError for float32 to int32 or int64 and float64 to int64, which cannot be.
class ConvertImageDtype : public OptionsTransform<ConvertImageDtypeOptions> {
 public:
  /// Throws c10::ValueError for a type that the options do not list.
  explicit ConvertImageDtype(ConvertImageDtypeOptions options = {});
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

/// Options for Normalize.
struct NormalizeOptions {
  /// Means and standard deviations, for all channels or for each.
  NormalizeOptions(std::vector<double> mean, std::vector<double> std)
      : mean_(std::move(mean)), std_(std::move(std)) {}

  /// Means: one number for all channels or one for each.
  TORCH_ARG(std::vector<double>, mean);
  /// Standard deviations, none of them 0: one number for all channels or one for each.
  TORCH_ARG(std::vector<double>, std);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("mean", mean_);
    visit("std", std_);
  }
};

/// (image - mean) / std of every channel. Of float32 or float64 images.
class Normalize : public OptionsTransform<NormalizeOptions> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit Normalize(NormalizeOptions options);
  /// Makes the options from means and standard deviations. Throws likewise.
  Normalize(std::vector<double> mean, std::vector<double> std)
      : Normalize(NormalizeOptions(std::move(mean), std::move(std))) {}
  at::Tensor transform(const at::Tensor& image, Draws& draws) const override;
};

}  // namespace optotorch::transforms
