#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <string>
#include <vector>

namespace optotorch {

/// Order of an image's pixels on the carrier.
enum class StreamOrder {
  patches,  ///< patch after patch, each row by row: a window is a patch
  raster,   ///< of each row of patches their first lines, one after the other, then their second lines, ...
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(StreamOrder) {
  static const std::vector<std::string> all{"patches", "raster"};
  return all;
}

/// Way in which a modulator writes a value s on the carrier.
enum class StreamEncoding {
  field,      ///< E = sqrt(P) s
  intensity,  ///< E = sqrt(P s), negative values dark
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(StreamEncoding) {
  static const std::vector<std::string> all{"field", "intensity"};
  return all;
}

/// Options for PatchStream: PatchStreamOptions({1, 28, 28}).size(4).stride(2).padding(1).
struct PatchStreamOptions {
  /// Patches of 4 x 4 pixels, 2 apart, from images of `image` with a dark border of 1 pixel.
  PatchStreamOptions(std::vector<int64_t> image)  // NOLINT(google-explicit-constructor)
      : image_(std::move(image)) {}
  /// Channels, rows and columns.
  TORCH_ARG(std::vector<int64_t>, image);
  /// Side of a patch: 1 pixel to the padded image's shorter side.
  TORCH_ARG(int64_t, size) = 4;
  /// Pixels from one patch to the next, 1 to 4096.
  TORCH_ARG(int64_t, stride) = 2;
  /// Width of the dark border around the image, 0 to 4096 pixels.
  TORCH_ARG(int64_t, padding) = 1;
  /// Order of the symbols.
  TORCH_ARG(StreamOrder, order) = StreamOrder::patches;
  /// Way in which values are written on the carrier.
  TORCH_ARG(StreamEncoding, encoding) = StreamEncoding::field;
  /// P, power of the carrier.
  TORCH_ARG(double, power) = 1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("image", image_);
    visit("size", size_);
    visit("stride", stride_);
    visit("padding", padding_);
    visit("order", order_);
    visit("encoding", encoding_);
    visit("power", power_);
  }

  /// Symbols of a patch, all channels: the window of a filter bank behind.
  int64_t window() const;
  /// Patches of an image, by rows and columns.
  std::vector<int64_t> patches() const;
};

/// The way in for a carrier of one frequency: real images [batch, channels, height, width] -> a waveform, field [batch,
/// symbols], one symbol a pixel of every patch. Overlapping patches send a pixel several times. No parameters. Source:
/// Tsirigotis et al., arXiv 2405.06434.
class PatchStreamImpl : public CloneableLayer<PatchStreamImpl> {
 public:
  /// Throws c10::ValueError for an image or a stride outside 1 to 4096, a padding outside 0 to 4096, a power that is
  /// not positive and finite, and a patch that does not fit the padded image.
  explicit PatchStreamImpl(PatchStreamOptions options);

  Role role() const override { return Role::source; }
  Footprint footprint() const override { return {{parts::modulators, 1}}; }
  Traversal traversal(const Pass& pass) const override {
    return {{{parts::modulators, 1}}, pass.output.size(-1)};
  }

  /// The options it was made from.
  PatchStreamOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override { return {pass.input}; }
};

TORCH_MODULE(PatchStream);

}  // namespace optotorch
