#pragma once

#include <optotorch/modules/optics/discrete_readout.h>

#include <cstdint>
#include <vector>

namespace optotorch {

/// Another value for a weight of an output.
struct WeightChange {
  int64_t input;  ///< column of W
  double value;   ///< new weight, one of the read-out's values
};

/// Measurements of a discrete read-out on one batch, while its weights change one after the other. What changes costs
/// time, not the whole read-out; readings are those of the read-out in training mode, noise and its count included,
/// before gain and bias. Results do not depend on the number of threads.
class ReadoutTrials {
 public:
  /// Changes for every output; those of one output must concern different inputs, which is not checked. An output
  /// without changes is measured as it stands.
  using Changes = std::vector<std::vector<WeightChange>>;

  /// Begins with the weights of `readout`, whose parameters stay as they are until `write`. `states` is
  /// [batch, in_features], as the read-out takes it. Throws c10::ValueError for states that are not finite, or equal in
  /// all samples, and for fewer than two samples.
  ReadoutTrials(DiscreteReadout& readout, const torch::Tensor& states);

  /// Readings [out, batch] with these changes, which last until the next measurement, unless kept. Valid until then.
  /// Throws c10::ValueError for another number of outputs, and for inputs or values that the read-out does not have.
  const torch::Tensor& measure(const Changes& changes);
  /// The same for the weights as they stand.
  const torch::Tensor& measure() { return measure(Changes(static_cast<size_t>(outputs()))); }

  /// Makes the last changes of an output permanent.
  void keep(int64_t output);

  /// W [out, in] as it stands.
  const torch::Tensor& weights() const { return weights_; }
  /// One weight; indices count from 0 and are not checked.
  double weight(int64_t output, int64_t input) const;

  /// True if a weight has three values.
  bool ternary() const { return readout_.least() < 0; }

  /// How often all outputs were measured.
  int64_t measurements() const { return measurements_; }

  /// Writes W to the read-out's `weight`.
  void write() const;

 private:
  int64_t outputs() const { return weights_.size(0); }
  template <typename Real>
  void run(const Changes& changes);
  template <typename Real>
  void expose();

  DiscreteReadout& readout_;
  torch::Tensor columns_;   // states [in, batch]
  torch::Tensor weights_;   // [out, in]
  torch::Tensor ideal_[2];  // readings [planes, out, batch], of every output the present one or the tried one
  std::vector<int> present_;           // which of them, for every output
  torch::Tensor measured_;             // [out, batch]
  Changes changes_;                    // of the last measurement
  int64_t planes_, measurements_ = 0;  // exposures that must be known apart
};

}  // namespace optotorch
