#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <optotorch/modules/optics/hop_options.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for FreeSpace: FreeSpaceOptions({64, 64}).hop(HopOptions().distance(.05)).
struct FreeSpaceOptions {
  FreeSpaceOptions(std::vector<int64_t> window)  // NOLINT(google-explicit-constructor)
      : window_(std::move(window)) {}
  /// Rows and columns of the field.
  TORCH_ARG(std::vector<int64_t>, window);
  TORCH_ARG(HopOptions, hop) = {};
  /// Rows and columns behind the hop, centred on the window; empty: the same.
  TORCH_ARG(std::vector<int64_t>, output) = {};

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("window", window_);
    visit("hop", hop_);
    visit("output", output_);
  }
};

/// Free space between two planes: field [batch, planes, window] -> [batch, planes, output]. Light that leaves the
/// window is lost. No parameters. Formula: ops/free_space.h. Throws c10::ValueError for lengths that are not
/// positive, and a field of another size.
class FreeSpaceImpl : public CloneableLayer<FreeSpaceImpl> {
 public:
  explicit FreeSpaceImpl(FreeSpaceOptions options);

  Role role() const override { return Role::component; }
  Deployment deploy() override;

  FreeSpaceOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& /*pass*/) const override { return {}; }
};

TORCH_MODULE(FreeSpace);

}  // namespace optotorch
