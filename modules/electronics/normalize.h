#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for Normalize: NormalizeOptions({0.1307}, {0.3081}).
struct NormalizeOptions {
  /// One mean and one deviation for every channel, or one of each for all.
  NormalizeOptions(std::vector<double> mean, std::vector<double> std)
      : mean_(std::move(mean)), std_(std::move(std)) {}

  /// Means: one for every channel, or one for all.
  TORCH_ARG(std::vector<double>, mean);
  /// Standard deviations, above 0: as many as there are means.
  TORCH_ARG(std::vector<double>, std);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("mean", mean_);
    visit("std", std_);
  }
};

/// y = (x - mean) / std of every channel, of real images [batch, channels, ...], as torchvision's transform
/// of that name: part of the network, so that its export takes pixels as they are.
class NormalizeImpl : public torch::nn::Cloneable<NormalizeImpl> {
 public:
  /// Throws c10::ValueError for lists of different lengths, values that are not finite and deviations that
  /// are not positive.
  explicit NormalizeImpl(NormalizeOptions options);

  void reset() override {}
  /// Throws c10::ValueError for an x that is not real, or of another number of channels.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from.
  NormalizeOptions options;
};

TORCH_MODULE(Normalize);

}  // namespace optotorch
