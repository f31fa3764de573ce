#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace optotorch {

/// The mean of the tokens: real values [batch, tokens, width] -> [batch, width]. No parameters: in a Hybrid
/// it belongs to the block before it, whose signal enters behind it.
class TokenMeanImpl : public torch::nn::Cloneable<TokenMeanImpl> {
 public:
  TokenMeanImpl() : Cloneable("TokenMean") {}

  void reset() override {}
  /// Throws c10::ValueError for another x, and for one without tokens.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;
};

TORCH_MODULE(TokenMean);

}  // namespace optotorch
