#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/image_bytes.h>
#include <optotorch/trainers/datasets/detail/torchvision/decode.h>

namespace optotorch {
namespace {

/// What IHDR says, and how much data there is.
struct PngHeader {
  uint32_t width, height, bits, colour;
  bool interlaced;
  uint64_t packed = 0;  // bytes in IDAT chunks

  bool has_colour() const { return (colour & 2) != 0; }
  bool has_alpha() const { return (colour & 4) != 0; }
};

constexpr size_t signature = 8, first_chunk = signature + 8;

/// Goes from chunk to chunk up to the last one: TorchVision's reader may not meet the end of the file.
PngHeader read_png_header(const ImageBytes& image) {
  const size_t size = image.bytes.size();
  if (size < first_chunk + 13 || image.big(signature, 4) != 13 || image.bytes.substr(12, 4) != "IHDR") {
    image.refuse("a sound PNG", "one without a size in front");
  }
  PngHeader header{image.big(first_chunk, 4), image.big(first_chunk + 4, 4), image.big(first_chunk + 8, 1),
                   image.big(first_chunk + 9, 1), image.big(first_chunk + 12, 1) != 0};
  for (size_t position = signature;;) {
    if (size - position < 12) {
      image.refuse("a sound PNG", "one that is cut short");
    }
    const uint64_t length = image.big(position, 4);
    const auto type = image.bytes.substr(position + 4, 4);
    if (length > size - position - 12) {
      image.refuse("a sound PNG", "one that is cut short");
    }
    if (type == "IEND") {
      return header;
    }
    header.packed += type == "IDAT" ? length : 0;
    position += 12 + length;
  }
}

void check_header(const ImageBytes& image, const PngHeader& header) {
  image.check_size(header.width, header.height);
  if (header.bits == 16 && header.interlaced) {
    image.refuse("a PNG that is not both interlaced and of 16 bits, which is not supported", "such a PNG");
  }
  constexpr int channels_of[] = {1, 0, 3, 1, 2, 0, 4, 0};
  const uint64_t channels = header.colour < 8 ? channels_of[header.colour] : 0;
  if (channels == 0 || header.bits == 0 || header.bits > 16) {
    image.refuse("a sound PNG", c10::str("type of colour ", header.colour, ", ", header.bits, " bits"));
  }
  const uint64_t unpacked = header.height * ((header.width * channels * header.bits + 7) / 8);
  if (unpacked / 1032 > header.packed) {
    // Deflate cannot do better than 1032 to 1.
    image.refuse("a sound PNG", c10::str(header.width, " x ", header.height, " pixels in ", header.packed,
                                         " bytes of data"));
  }
}

/// The bytes that Pillow makes of 16 bits.
at::Tensor in_8_bits(const at::Tensor& pixels, const PngHeader& header) {
  const bool clipped = !header.has_colour() && !header.has_alpha();
  return (clipped ? pixels.clamp_max(255) : pixels.div(256, "floor")).to(at::kByte);
}

}  // namespace

at::Tensor read_png(const ImageBytes& image) {
  const PngHeader header = read_png_header(image);
  check_header(image, header);
  require_torchvision(image, "a PNG");
  at::Tensor pixels;
  try {
    pixels = torchvision::decode_png(
        image.bytes, header.has_colour() ? torchvision::Channels::rgb : torchvision::Channels::grey);
  } catch (const torchvision::DecodeError& error) {
    image.refuse("a sound PNG", error.what());
  }
  if (header.bits == 16) {
    pixels = in_8_bits(pixels, header);
  }
  return as_wanted(pixels, image.mode);
}

}  // namespace optotorch
