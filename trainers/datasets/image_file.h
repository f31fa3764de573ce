#pragma once

// Pictures in files.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <cstdint>
#include <string>

namespace optotorch {

/// What a picture is made into, as by Pillow's convert("RGB") and convert("L").
enum class ImageFileMode { rgb, grey };

/// The pixels that a picture may have: Pillow's bound.
inline constexpr int64_t most_image_pixels = 178956970;

/// The picture in a file, uint8 [3, H, W] (rgb) or [1, H, W] (grey): what Pillow's
/// Image.open(path).convert() gives.
///
/// The first bytes decide about the format, not the name:
///
/// - JPEG, by TorchVision's reader: 8 bits, grey, colour or CMYK. The rotation that its EXIF part may ask
///   for is not applied (Pillow's convert doesn't either).
/// - PNG, by TorchVision's reader. Alpha is dropped. Of 16 bits the upper 8 remain, except that a grey
///   picture without alpha is clipped to 255, as Pillow has it; 16 bits and interlaced at once are refused.
/// - PGM and PPM (P2, P3, P5, P6) of up to 8 bits; BMP of 8, 24 or 32 bits, not compressed.
///
/// Grey is (19595 R + 38470 G + 7471 B + 32768) / 65536, rounded down.
///
/// The file is not trusted: its size is read from its header and held against `most_pixels` and against the
/// file's length before memory is taken. Errors name the file and the cause. May be called by several threads
/// at once.
///
/// Throws c10::ValueError if the file cannot be read, is in no such format, is cut short or damaged, has more
/// than `most_pixels` pixels; for a JPEG or PNG also if OptoTorch was built without TorchVision.
at::Tensor read_image_file(const std::string& path, ImageFileMode mode = ImageFileMode::rgb,
                           int64_t most_pixels = most_image_pixels);

/// The same of a file that is open, or of bytes in memory.
at::Tensor read_image_file(InputFile file, ImageFileMode mode = ImageFileMode::rgb,
                           int64_t most_pixels = most_image_pixels);

}  // namespace optotorch
