#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace optotorch {

/// Options for Narrow: NarrowOptions(28).step(28).
struct NarrowOptions {
  /// Takes the first `length` values.
  NarrowOptions(int64_t length) : length_(length) {}  // NOLINT(google-explicit-constructor): Narrow(10)

  /// How many values are taken, 1 to 2^24.
  TORCH_ARG(int64_t, length);
  /// Index of the first of them, 0 to 2^24.
  TORCH_ARG(int64_t, start) = 0;
  /// Distance from one to the next, 1 to 2^24.
  TORCH_ARG(int64_t, step) = 1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("length", length_);
    visit("start", start_);
    visit("step", step_);
  }
};

/// The values start, start + step, ... of every sample, [batch, values, ...] -> [batch, length, ...]: the
/// detectors that are there.
class NarrowImpl : public torch::nn::Cloneable<NarrowImpl> {
 public:
  /// Throws c10::ValueError for options out of their ranges.
  explicit NarrowImpl(NarrowOptions options);

  void reset() override {}
  /// Throws c10::ValueError for an x with fewer values.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from.
  NarrowOptions options;
};

TORCH_MODULE(Narrow);

}  // namespace optotorch
