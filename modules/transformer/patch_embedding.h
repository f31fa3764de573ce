#pragma once

#include <optotorch/modules/fields.h>
#include <torch/arg.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

namespace optotorch {

/// Options for PatchEmbedding: PatchEmbeddingOptions(1, 28, 7, 64).
struct PatchEmbeddingOptions {
  /// Cuts square images into square patches, which become tokens of `width` values.
  PatchEmbeddingOptions(int64_t channels, int64_t side, int64_t patch, int64_t width)
      : channels_(channels), side_(side), patch_(patch), width_(width) {}
  /// Channels of an image.
  TORCH_ARG(int64_t, channels);
  /// Height and width of an image, in pixels.
  TORCH_ARG(int64_t, side);
  /// Height and width of a patch; divides the side.
  TORCH_ARG(int64_t, patch);
  /// Values of a token.
  TORCH_ARG(int64_t, width);
  /// Pixels that a patch's window reaches beyond it on every side, below the patch's; outside the image is 0.
  TORCH_ARG(int64_t, overlap) = 0;
  /// Values of a hidden layer before W, with GELU; 0: none.
  TORCH_ARG(int64_t, hidden) = 0;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("channels", channels_);
    visit("side", side_);
    visit("patch", patch_);
    visit("width", width_);
    visit("overlap", overlap_);
    visit("hidden", hidden_);
  }
};

/// Images as tokens: [batch, channels, side, side] -> [batch, (side / patch)^2, width],
///
///     y_t = W p_t + b + positions_t,      or with a hidden layer      W gelu(V p_t + c) + b + positions_t,
///
/// with p_t the pixels of the window of patch t, channel by channel and each in row-major order; patches
/// count along the rows. The child `project` holds W and b, as torch::nn::Linear does, `expand` V and c;
/// `positions` [tokens, width] is initially N(0, .02^2). Source: Dosovitskiy et al., arXiv 2010.11929,
/// without a class token.
class PatchEmbeddingImpl : public torch::nn::Cloneable<PatchEmbeddingImpl> {
 public:
  /// Throws c10::ValueError unless channels and width are 1 to 2^24, side is 1 to 4096, patch divides side, overlap is
  /// at least 0 and less than patch, and hidden is 0 to 2^24.
  explicit PatchEmbeddingImpl(PatchEmbeddingOptions options);

  void reset() override;
  /// Throws c10::ValueError for another x, and for one of another precision.
  torch::Tensor forward(const torch::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  /// Tokens that an image becomes.
  int64_t tokens() const;

  /// The options it was made from.
  PatchEmbeddingOptions options;
  torch::nn::Linear expand{nullptr};   ///< V and c; nullptr without a hidden layer
  torch::nn::Linear project{nullptr};  ///< W and b
  torch::Tensor positions;             ///< parameter [tokens, width]
};

TORCH_MODULE(PatchEmbedding);

}  // namespace optotorch
