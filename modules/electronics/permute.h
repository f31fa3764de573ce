#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for Permute: PermuteOptions({0, 1, 3, 2}).
struct PermuteOptions {
  /// Gives the output the input's dimensions in the order `dims`.
  explicit PermuteOptions(std::vector<int64_t> dims) : dims_(std::move(dims)) {}

  /// Which dimension of the input each one of the output is. The first is the batch and stays: 0.
  TORCH_ARG(std::vector<int64_t>, dims);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) { visit("dims", dims_); }
};

/// The dimensions in another order, as torchvision.ops.Permute: {0, 1, 3, 2} makes columns of an image rows.
class PermuteImpl : public torch::nn::Cloneable<PermuteImpl> {
 public:
  /// Throws c10::ValueError for what is no permutation, or moves the batch.
  explicit PermuteImpl(PermuteOptions options);

  void reset() override {}
  /// Throws c10::ValueError for an x of another number of dimensions.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from.
  PermuteOptions options;
};

TORCH_MODULE(Permute);

}  // namespace optotorch
