#pragma once

// TorchVision's readers of pictures in memory (https://github.com/pytorch/vision, BSD licence), compiled in
// by their sources. They are safe to call with bytes that break off or are damaged, which they are not by
// themselves: longjmp past a tensor leaves its memory behind, and libjpeg and libpng print to stderr.

#include <ATen/core/Tensor.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace optotorch::torchvision {

/// What is asked of a picture's channels; not everything can be had of every picture.
enum class Channels { as_stored, grey, rgb };

/// What libjpeg or libpng has against the bytes.
class DecodeError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// True if OptoTorch was built with TorchVision's sources. The functions below may not be called otherwise.
bool is_there();

/// A JPEG's pixels, uint8 [H, W, C]. Throws DecodeError.
at::Tensor decode_jpeg(std::string_view bytes, Channels channels);

/// A PNG's pixels, uint8 or (of 16 bits) int32 [H, W, C]. Its chunks must be whole, up to the last one.
/// Throws DecodeError.
at::Tensor decode_png(std::string_view bytes, Channels channels);

}  // namespace optotorch::torchvision
