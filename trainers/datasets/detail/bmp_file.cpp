#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/detail/image_bytes.h>

#include <algorithm>
#include <array>

namespace optotorch {
namespace {

struct BmpHeader {
  uint32_t begin, info, width, height, bits, colours;
  bool upside_down;
};

constexpr size_t info_at = 14;

BmpHeader read_bmp_header(const ImageBytes& image) {
  const size_t size = image.bytes.size();
  if (size < info_at + 40 || image.little(info_at, 4) < 40 || image.little(info_at, 4) > 124) {
    image.refuse("a BMP with a header of 40 to 124 bytes: others are not supported",
                 size < info_at + 4 ? "a file that ends before" : "another");
  }
  BmpHeader header{};
  header.begin = image.little(10, 4);
  header.info = image.little(info_at, 4);
  header.width = image.little(info_at + 4, 4);
  // A negative height is one that counts from the top.
  const auto height = static_cast<int32_t>(image.little(info_at + 8, 4));
  header.upside_down = height >= 0;
  header.height = height >= 0 ? height : 0u - static_cast<uint32_t>(height);
  header.bits = image.little(info_at + 14, 2);
  header.colours = image.little(info_at + 32, 4);
  const uint32_t compression = image.little(info_at + 16, 4);
  image.check_size(header.width, header.height);
  if (compression != 0 || (header.bits != 8 && header.bits != 24 && header.bits != 32)) {
    image.refuse("a BMP of 8, 24 or 32 bits without compression: others are not supported",
                 c10::str(header.bits, " bits, compression ", compression));
  }
  header.colours = header.colours == 0 ? 256 : header.colours;
  return header;
}

using BmpColour = std::array<uint8_t, 3>;

/// The palette; colours that it leaves out are greys.
std::array<BmpColour, 256> read_palette(const ImageBytes& image, const BmpHeader& header) {
  const size_t begin = info_at + header.info;
  if (header.colours > 256 || image.bytes.size() < begin + 4 * header.colours) {
    image.refuse("a sound BMP with up to 256 colours", c10::str(header.colours));
  }
  std::array<BmpColour, 256> palette{};
  for (uint32_t i = 0; i < 256; ++i) {
    const auto grey = static_cast<uint8_t>(i);
    const size_t at = begin + 4 * i;
    palette[i] = i < header.colours ? BmpColour{image.at(at + 2), image.at(at + 1), image.at(at)}
                                    : BmpColour{grey, grey, grey};
  }
  return palette;
}

}  // namespace

at::Tensor read_bmp(const ImageBytes& image) {
  const BmpHeader header = read_bmp_header(image);
  const uint64_t bytes = header.bits / 8;
  const uint64_t row = (header.width * bytes + 3) / 4 * 4;
  const uint64_t size = image.bytes.size();
  if (header.begin < info_at + header.info || header.begin > size ||
      size - header.begin < row * header.height) {
    image.refuse("a sound BMP",
                 c10::str(header.width, " x ", header.height, " pixels in a file of ", size, " bytes"));
  }
  const auto palette = bytes == 1 ? read_palette(image, header) : std::array<BmpColour, 256>{};
  const at::Tensor pixels =
      at::empty({static_cast<int64_t>(header.height), static_cast<int64_t>(header.width), 3}, at::kByte);
  auto* to = pixels.mutable_data_ptr<uint8_t>();
  for (uint64_t y = 0; y < header.height; ++y) {
    size_t from = header.begin + row * (header.upside_down ? header.height - 1 - y : y);
    for (uint64_t x = 0; x < header.width; ++x, from += bytes, to += 3) {
      const BmpColour colour = bytes == 1 ? palette[image.at(from)]
                                          : BmpColour{image.at(from + 2), image.at(from + 1), image.at(from)};
      std::copy(colour.begin(), colour.end(), to);
    }
  }
  return as_wanted(pixels, image.mode);
}

}  // namespace optotorch
