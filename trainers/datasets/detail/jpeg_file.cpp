#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/image_bytes.h>
#include <optotorch/trainers/datasets/detail/torchvision/decode.h>

namespace optotorch {
namespace {

/// What the frame's header says.
struct Frame {
  uint8_t marker;
  uint32_t bits, height, width, components;
};

bool is_frame(uint8_t marker) {
  // Huffman tables, extensions and arithmetic conditioning have numbers among the frames'.
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool stands_alone(uint8_t marker) {
  return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7);
}

/// Finds the frame's header as libjpeg does, which passes over bytes that belong to no segment.
Frame find_frame(const ImageBytes& image) {
  const size_t size = image.bytes.size();
  const auto need = [&](size_t position) {
    if (position > size) {
      image.refuse("a sound JPEG", "one that ends in its header");
    }
  };
  for (size_t position = 2;;) {
    while (position < size && image.at(position) != 0xFF) {
      ++position;
    }
    while (position < size && image.at(position) == 0xFF) {
      ++position;
    }
    need(position + 1);
    const uint8_t marker = image.at(position++);
    if (marker == 0 || stands_alone(marker)) {
      continue;
    }
    if (marker == 0xD8 || marker == 0xD9 || marker == 0xDA) {
      image.refuse("a sound JPEG", "one without a size in front of its data");
    }
    need(position + 2);
    const uint32_t length = image.big(position, 2);
    if (is_frame(marker)) {
      need(position + 8);
      return {marker, image.big(position + 2, 1), image.big(position + 3, 2), image.big(position + 5, 2),
              image.big(position + 7, 1)};
    }
    if (length < 2) {
      image.refuse("a sound JPEG", "a segment shorter than its length");
    }
    position += length;
    need(position);
  }
}

void check_frame(const ImageBytes& image, const Frame& frame) {
  image.check_size(frame.width, frame.height);
  if (frame.bits != 8) {
    image.refuse("a JPEG of 8 bits: others are not supported", c10::str(frame.bits, " bits"));
  }
  if (frame.components != 1 && frame.components != 3 && frame.components != 4) {
    image.refuse("a JPEG of 1, 3 or 4 components: others are not supported",
                 std::to_string(frame.components));
  }
  // Huffman codes take a bit for each block of 64 pixels, 128 where components differ in size.
  const bool huffman = frame.marker <= 0xC7;
  const uint64_t pixels = uint64_t{frame.width} * frame.height;
  if (huffman && pixels > uint64_t{1024} * image.bytes.size()) {
    image.refuse("a sound JPEG", c10::str(frame.width, " x ", frame.height, " pixels in a file of ",
                                          image.bytes.size(), " bytes"));
  }
}

/// uint8 [H, W, 3] of [H, W, 4], which has Adobe's reversed inks; rounded as Pillow does.
at::Tensor rgb_of_inks(const at::Tensor& inks) {
  const int64_t area = inks.size(0) * inks.size(1);
  at::Tensor rgb = at::empty({inks.size(0), inks.size(1), 3}, at::kByte);
  const uint8_t* from = inks.const_data_ptr<uint8_t>();
  auto* to = rgb.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < area; ++i, from += 4, to += 3) {
    const int light = from[3];
    for (int c = 0; c < 3; ++c) {
      const int scaled = (255 - from[c]) * light + 128;
      to[c] = static_cast<uint8_t>(std::max(0, light - (((scaled >> 8) + scaled) >> 8)));
    }
  }
  return rgb;
}

}  // namespace

at::Tensor read_jpeg(const ImageBytes& image) {
  const Frame frame = find_frame(image);
  check_frame(image, frame);
  require_torchvision(image, "a JPEG");
  const auto channels = frame.components == 1   ? torchvision::Channels::grey
                        : frame.components == 3 ? torchvision::Channels::rgb
                                                : torchvision::Channels::as_stored;
  at::Tensor pixels;
  try {
    pixels = torchvision::decode_jpeg(image.bytes, channels);
  } catch (const torchvision::DecodeError& error) {
    image.refuse("a sound JPEG", error.what());
  }
  if (frame.components == 4) {
    pixels = rgb_of_inks(pixels);
  }
  return as_wanted(pixels, image.mode);
}

}  // namespace optotorch
