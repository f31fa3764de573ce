#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for Standardise: StandardiseOptions({7, 196}).
struct StandardiseOptions {
  /// Samples of the shape `sample`, without the batch.
  StandardiseOptions(std::vector<int64_t> sample)  // NOLINT(google-explicit-constructor)
      : sample_(std::move(sample)) {}
  /// Shape of a sample.
  TORCH_ARG(std::vector<int64_t>, sample);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("sample", sample_); }
};

/// y = (x - mean) / deviation of every number of a sample [batch, sample...], by statistics of a training set: buffers,
/// which are exported. They are 0 and 1 until the module has watched data (trainers/statistics.h); a number that never
/// changes keeps the deviation 1.
class StandardiseImpl : public torch::nn::Cloneable<StandardiseImpl> {
 public:
  /// Throws c10::ValueError for a shape without numbers.
  explicit StandardiseImpl(StandardiseOptions options);

  void reset() override;
  /// Throws c10::ValueError for an x that is not real, or of another shape.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// From now on counts what it is given, in float64, or no longer.
  void watch(bool on = true);
  /// Takes the statistics of what it was given since, and no longer counts. Throws c10::ValueError, with nothing
  /// changed, for fewer than two samples and values that are not finite.
  void finish();

  /// The options it was made from.
  StandardiseOptions options;
  torch::Tensor mean,  ///< buffer [sample...]: mean of every value
      deviation;       ///< buffer [sample...]: deviation of every value, 1 where nothing varies

 private:
  bool watches_ = false;
  int64_t samples_ = 0;
  torch::Tensor sum_, squares_;  ///< about the first batch's mean, which keeps digits
  torch::Tensor origin_;
};

TORCH_MODULE(Standardise);

}  // namespace optotorch
