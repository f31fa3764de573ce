#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace optotorch {

/// Options for SliceLinear: SliceLinearOptions(28, 28, 1).
struct SliceLinearOptions {
  /// Makes `slices` maps, each from `in_features` to `out_features` values.
  SliceLinearOptions(int64_t slices, int64_t in_features, int64_t out_features)
      : slices_(slices), in_features_(in_features), out_features_(out_features) {}

  /// Number of slices of a sample, 1 to 2^24.
  TORCH_ARG(int64_t, slices);
  /// Values of a slice before its map, 1 to 2^24.
  TORCH_ARG(int64_t, in_features);
  /// Values of a slice after its map, 1 to 2^24.
  TORCH_ARG(int64_t, out_features);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("slices", slices_);
    visit("in_features", in_features_);
    visit("out_features", out_features_);
  }
};

/// A linear map of its own for every slice, [batch, slices x in_features] -> [batch, slices x out_features],
///
///     y_s = x_s W_s + b_s.
///
/// Parameters `weight` [slices, in_features, out_features] and `bias` [slices, 1, out_features], initially
/// uniform in +-sqrt(6 / (in_features + out_features)), Glorot's bound.
class SliceLinearImpl : public torch::nn::Cloneable<SliceLinearImpl> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit SliceLinearImpl(SliceLinearOptions options);

  void reset() override;
  /// Throws c10::ValueError for an x of another shape.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from.
  SliceLinearOptions options;
  torch::Tensor weight,  ///< parameter W, [slices, in_features, out_features]
      bias;              ///< parameter b, [slices, 1, out_features]
};

TORCH_MODULE(SliceLinear);

}  // namespace optotorch
