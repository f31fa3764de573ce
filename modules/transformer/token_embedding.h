#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace optotorch {

/// Options for TokenEmbedding: TokenEmbeddingOptions(65, 128, 64).
struct TokenEmbeddingOptions {
  /// Embeds tokens of `vocabulary` kinds, at most `context` in a row, as `width` values each.
  TokenEmbeddingOptions(int64_t vocabulary, int64_t context, int64_t width)
      : vocabulary_(vocabulary), context_(context), width_(width) {}
  /// Tokens are numbers from 0 to vocabulary - 1.
  TORCH_ARG(int64_t, vocabulary);
  /// Most tokens in a row.
  TORCH_ARG(int64_t, context);
  /// Values of a token.
  TORCH_ARG(int64_t, width);

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("vocabulary", vocabulary_);
    visit("context", context_);
    visit("width", width_);
  }
};

/// Numbers as tokens: int64 [batch, tokens] -> [batch, tokens, width], tokens <= context,
///
///     y_t = weight[x_t] + positions_t.
///
/// The parameters `weight` [vocabulary, width] and `positions` [context, width] are initially N(0, 1), as in
/// torch::nn::Embedding. Nothing is learnt of what came before it.
class TokenEmbeddingImpl : public torch::nn::Cloneable<TokenEmbeddingImpl> {
 public:
  /// Constructs it from TokenEmbeddingOptions(vocabulary, context, width).
  TokenEmbeddingImpl(int64_t vocabulary, int64_t context, int64_t width)
      : TokenEmbeddingImpl(TokenEmbeddingOptions(vocabulary, context, width)) {}
  /// Throws c10::ValueError for sizes outside 1 to 2^24.
  explicit TokenEmbeddingImpl(TokenEmbeddingOptions options);

  void reset() override;
  /// Throws c10::ValueError for another x, for more tokens than the context, and for tokens that are not in
  /// the vocabulary.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from.
  TokenEmbeddingOptions options;
  torch::Tensor weight,  ///< parameter [vocabulary, width]
      positions;         ///< parameter [context, width]
};

TORCH_MODULE(TokenEmbedding);

}  // namespace optotorch
