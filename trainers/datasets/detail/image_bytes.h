#pragma once

// What the readers of pictures share.

#include <ATen/core/Tensor.h>
#include <optotorch/trainers/datasets/image_file.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace optotorch {

/// A whole file in memory, and what is wanted of it.
struct ImageBytes {
  std::string_view bytes;
  std::string name;  ///< what errors call it
  ImageFileMode mode;
  int64_t most_pixels;

  uint8_t at(size_t position) const { return static_cast<uint8_t>(bytes[position]); }

  /// Big-endian and little-endian numbers; their bytes must be there.
  uint32_t big(size_t position, int count) const;
  uint32_t little(size_t position, int count) const;

  /// Throws that this is no sound file of the format.
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const;

  /// Throws unless both sizes are positive and their product is within most_pixels.
  void check_size(uint64_t width, uint64_t height) const;
};

/// Throws c10::ValueError, which says how to get it, for a `kind` of file that only TorchVision reads if OptoTorch
/// was built without.
void require_torchvision(const ImageBytes& image, const std::string& kind);

/// Pixels [H, W, 3] or [H, W, 1], one behind the other in memory, as uint8 [3 or 1, H, W].
at::Tensor as_wanted(const at::Tensor& pixels, ImageFileMode mode);

at::Tensor read_jpeg(const ImageBytes& image);
at::Tensor read_png(const ImageBytes& image);
at::Tensor read_netpbm(const ImageBytes& image);
at::Tensor read_bmp(const ImageBytes& image);

}  // namespace optotorch
