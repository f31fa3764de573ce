#pragma once

#include <optotorch/modules/optics/linear_map.h>

namespace optotorch {

/// Options for SelfAttention: SelfAttentionOptions(64, 4).causal(true).
struct SelfAttentionOptions {
  /// Attention among tokens of `width` values, by `heads` heads of width / heads values each.
  SelfAttentionOptions(int64_t width, int64_t heads) : width_(width), heads_(heads) {}
  /// Values of a token.
  TORCH_ARG(int64_t, width);
  /// Divides the width.
  TORCH_ARG(int64_t, heads);
  /// A token sees itself and those before it.
  TORCH_ARG(bool, causal) = false;
  /// Kind of the maps.
  TORCH_ARG(Maps, maps) = Maps::electronic;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("width", width_);
    visit("heads", heads_);
    visit("causal", causal_);
    visit("maps", maps_);
  }
};

/// Attention of tokens to each other, real values [batch, tokens, width] -> [batch, tokens, width]:
///
///     q, k, v = query(x), key(x), value(x), each cut into heads of d = width / heads values
///     z_h = softmax(q_h k_h^T / sqrt(d)) v_h             y = output(z_1, ..., z_heads)
///
/// The children `query`, `key`, `value` and `output` are LinearMaps with an offset, but for the key: the
/// softmax does not see one. With `causal`, weights of later tokens are 0. The products of tokens with tokens
/// are electronic. Source: Vaswani et al., arXiv 1706.03762.
class SelfAttentionImpl : public torch::nn::Cloneable<SelfAttentionImpl> {
 public:
  /// Constructs it from SelfAttentionOptions(width, heads).
  SelfAttentionImpl(int64_t width, int64_t heads) : SelfAttentionImpl(SelfAttentionOptions(width, heads)) {}
  /// Throws c10::ValueError unless width and heads are at least 1 and heads divide the width.
  explicit SelfAttentionImpl(SelfAttentionOptions options);

  void reset() override;
  /// Throws c10::ValueError for another x, and for one of another precision.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// The options it was made from.
  SelfAttentionOptions options;
  LinearMap query{nullptr},  ///< map from x to q
      key{nullptr},          ///< map from x to k, without an offset
      value{nullptr},        ///< map from x to v
      output{nullptr};       ///< map from z to y
};

TORCH_MODULE(SelfAttention);

/// Throws c10::ValueError unless x is real values [batch, tokens, width] with at least one token.
void check_tokens(const torch::nn::Module& module, const torch::Tensor& x, int64_t width);

}  // namespace optotorch
