#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace optotorch {

/// y = x / ||x||_2 of every sample, real [batch, values]; a sample of zeros stays one. Behind detectors the
/// scores then do not depend on the light's power.
class L2NormalizeImpl : public torch::nn::Cloneable<L2NormalizeImpl> {
 public:
  L2NormalizeImpl() : Cloneable("L2Normalize") {}

  void reset() override {}
  /// Throws c10::ValueError for another x.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;
};

TORCH_MODULE(L2Normalize);

}  // namespace optotorch
