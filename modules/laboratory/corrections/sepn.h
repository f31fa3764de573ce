#pragma once

#include <optotorch/modules/laboratory/corrections/correction.h>
#include <optotorch/ops/sepn.h>
#include <torch/arg.h>

namespace optotorch {

/// Options for Sepn: SepnOptions(64).features({4, 6, 8}).
struct SepnOptions {
  /// Numbers of features F1, F2, F3 (ops/sepn.h).
  using Features = std::array<int64_t, 3>;

  /// A network for a stage of `ports` outputs.
  SepnOptions(int64_t ports) : ports_(ports) {}  // NOLINT(google-explicit-constructor): Sepn(64)

  /// Outputs of the stage, 1 to 65,536.
  TORCH_ARG(int64_t, ports);
  /// (4, 8, 16): the published 9,757 complex parameters; (4, 6, 8): 4,035.
  TORCH_ARG(Features, features) = {4, 8, 16};
};

/// S = U + c SEPN(U), the systematic-error prediction network of Zheng et al., arXiv 2212.06141: the complex
/// U-Net of ops/sepn.h, on the square that the ports make, or on a square plane [1, rows, columns]. Parameter
/// `parameters` [complex parameters, 2], real and imaginary parts, initially uniform in +-1/sqrt(9 in), those of
/// transposed convolutions in +-1/sqrt(9 out), as LibTorch draws them.
class Sepn : public CorrectionBehind {
 public:
  /// Throws c10::ValueError for ports outside 1 to 65,536, and for features outside 1 to 256.
  explicit Sepn(const SepnOptions& options);

  /// Layout of the network.
  const ops::SepnLayout& layout() const { return layout_; }

  /// Weights and biases, the parameter `parameters` [complex parameters, 2].
  torch::Tensor numbers;

 protected:
  torch::Tensor difference(const torch::Tensor& u) override;
  torch::Tensor pull_difference(const torch::Tensor& u, const torch::Tensor& dL_dd, bool learns,
                                bool to_u) override;

 private:
  ops::SepnLayout layout_;
};

}  // namespace optotorch
