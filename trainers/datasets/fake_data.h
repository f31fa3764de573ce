#pragma once

#include <optotorch/trainers/datasets/image_set.h>
#include <torch/arg.h>

#include <array>
#include <cstdint>

namespace optotorch {

/// Options for FakeData; the defaults are torchvision's.
struct FakeDataOptions {
  /// Number of images, at least 1.
  TORCH_ARG(int64_t, size) = 1000;
  /// Channels (1 to 4), height and width.
  using ImageSize = std::array<int64_t, 3>;
  /// Size of every image; height and width are at least 1.
  TORCH_ARG(ImageSize, image_size) = {3, 224, 224};
  /// Number of classes, 1 to 2^24 - 1.
  TORCH_ARG(int64_t, num_classes) = 10;
  /// Image i has seed i + random_offset.
  TORCH_ARG(int64_t, random_offset) = 0;
};

/// Random images and classes, made in memory: something to try a network with where there is no data.
///
/// The same as torchvision's, value by value, on a machine whose numbers of LibTorch are the same: with the
/// seed i + random_offset, image i is drawn by randn and its class by randint; the image times 255 is cut to a
/// whole number, of which the lowest 8 bits are the pixel. LibTorch's own generator is left alone.
class FakeData : public ImageSet {
 public:
  /// Throws c10::ValueError for options out of their ranges, or for more than 2^40 bytes of images.
  explicit FakeData(const FakeDataOptions& options = {});
};

}  // namespace optotorch
