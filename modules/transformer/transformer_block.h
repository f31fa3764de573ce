#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/transformer/self_attention.h>
#include <torch/nn/modules/normalization.h>

#include <string>
#include <vector>

namespace optotorch {

/// Where the norms of a block stand.
enum class Norm {
  post,  ///< behind each sum
  pre,   ///< before the attention and the feed-forward; the sums are not normalised
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Norm) {
  static const std::vector<std::string> all{"post", "pre"};
  return all;
}

/// Where a rule's signals enter a block inside (tap.h).
enum class Taps {
  none,   ///< nowhere: at the block's output only ("macro")
  micro,  ///< behind the attention's norm, behind the activation, behind the second norm
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Taps) {
  static const std::vector<std::string> all{"none", "micro"};
  return all;
}

/// Options for TransformerBlock: TransformerBlockOptions(64, 4).hidden(128).causal(true).
struct TransformerBlockOptions {
  /// A block for tokens of `width` values, with `heads` heads of attention.
  TransformerBlockOptions(int64_t width, int64_t heads) : width_(width), heads_(heads) {}
  /// Values of a token.
  TORCH_ARG(int64_t, width);
  /// Heads of the attention; they divide the width.
  TORCH_ARG(int64_t, heads);
  /// Values behind the first map of the feed-forward; 0 means 4 width.
  TORCH_ARG(int64_t, hidden) = 0;
  /// Place of the layer norms.
  TORCH_ARG(Norm, norm) = Norm::post;
  /// A token sees itself and those before it.
  TORCH_ARG(bool, causal) = false;
  /// Kind of the block's six linear maps.
  TORCH_ARG(Maps, maps) = Maps::electronic;
  /// Places inside where a rule's signals enter; Taps::micro requires Norm::post.
  TORCH_ARG(Taps, taps) = Taps::none;
  /// In training, the fraction of what attention and feed-forward add that is left out, 0 to below 1.
  TORCH_ARG(double, dropout) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("width", width_);
    visit("heads", heads_);
    visit("hidden", hidden_);
    visit("norm", norm_);
    visit("causal", causal_);
    visit("maps", maps_);
    visit("taps", taps_);
    visit("dropout", dropout_);
  }
};

/// A block of a transformer, real values [batch, tokens, width] -> [batch, tokens, width]:
///
///     post:  h = norm1(x + attention(x))        y = norm2(h + down(gelu(up(h))))
///     pre:   h = x + attention(norm1(x))        y = h + down(gelu(up(norm2(h))))
///
/// with layer norms over the width, the exact gelu(a) = a Phi(a), and LinearMaps `up` [hidden, width] and
/// `down` [width, hidden]; in training, dropout before either sum. Sources: Vaswani et al., arXiv 1706.03762;
/// pre: Xiong et al., arXiv 2002.04745.
///
/// In a Hybrid every block is one of the Hybrid's blocks, at whose output a rule's signal enters: the
/// gradient inside is exact, and no residual path leads out. With Taps::micro it is cut into three parts,
///
///     norm1(x + attention(x)) | gelu(up(h)) | norm2(h + down(a))
///
/// whose outputs are taps; the last is the block's output, where a signal at the output then teaches nothing.
/// Source: Launay et al., arXiv 2006.12878. Only Norm::post has such taps: with Norm::pre every sum hands on
/// what came before all taps.
class TransformerBlockImpl : public torch::nn::Cloneable<TransformerBlockImpl> {
 public:
  /// Constructs it from TransformerBlockOptions(width, heads).
  TransformerBlockImpl(int64_t width, int64_t heads)
      : TransformerBlockImpl(TransformerBlockOptions(width, heads)) {}
  /// Throws c10::ValueError unless the sizes are 1 to 2^24, heads divide the width, taps have Norm::post,
  /// and the dropout is in its range.
  explicit TransformerBlockImpl(TransformerBlockOptions options);

  void reset() override;
  /// Throws c10::ValueError for another x, and for one of another precision.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from; a `hidden` of 0 has become 4 width.
  TransformerBlockOptions options;
  SelfAttention attention{nullptr};     ///< self-attention among the tokens
  torch::nn::LayerNorm norm1{nullptr},  ///< layer norm of the attention
      norm2{nullptr};                   ///< layer norm of the feed-forward
  LinearMap up{nullptr},                ///< first map of the feed-forward
      down{nullptr};                    ///< second map of the feed-forward

 private:
  torch::Tensor dropped(const torch::Tensor& x) const;
  torch::Tensor tapped(const torch::Tensor& x) const;
};

TORCH_MODULE(TransformerBlock);

}  // namespace optotorch
