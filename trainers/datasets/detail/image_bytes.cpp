#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/image_bytes.h>
#include <optotorch/trainers/datasets/detail/torchvision/decode.h>

namespace optotorch {
namespace {

/// Pillow's weights.
uint8_t grey_of(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define OPTOTORCH_FOR_EVERY_PROCESSOR __attribute__((target_clones("avx2", "ssse3", "default")))
#else
#define OPTOTORCH_FOR_EVERY_PROCESSOR
#endif

/// RGB RGB ... -> three planes, which do not overlap. Processors that shuffle bytes take a tenth of the time.
OPTOTORCH_FOR_EVERY_PROCESSOR
void planes_of(const uint8_t* __restrict from, uint8_t* __restrict red, uint8_t* __restrict green,
               uint8_t* __restrict blue, int64_t area) {
  for (int64_t i = 0; i < area; ++i) {
    red[i] = from[3 * i];
    green[i] = from[3 * i + 1];
    blue[i] = from[3 * i + 2];
  }
}

}  // namespace

uint32_t ImageBytes::big(size_t position, int count) const {
  uint32_t number = 0;
  for (int i = 0; i < count; ++i) {
    number = number << 8 | at(position + i);
  }
  return number;
}

uint32_t ImageBytes::little(size_t position, int count) const {
  uint32_t number = 0;
  for (int i = count; i-- > 0;) {
    number = number << 8 | at(position + i);
  }
  return number;
}

void ImageBytes::refuse(const std::string& expected, const std::string& got) const {
  reject({.where = name, .argument = "image", .expected = expected, .got = got});
}

void ImageBytes::check_size(uint64_t width, uint64_t height) const {
  const auto got = [&] { return c10::str(width, " x ", height, " pixels"); };
  OPTOTORCH_CHECK(width > 0 && height > 0, .where = name, .argument = "image",
                  .expected = "a width and a height", .got = got(), .remedy = "The file is damaged");
  // Both fit into 32 bits: the product does not overflow.
  OPTOTORCH_CHECK(width * height <= static_cast<uint64_t>(most_pixels), .where = name, .argument = "image",
                  .expected = c10::str("at most ", most_pixels, " pixels"), .got = got(),
                  .remedy = "If the file is meant to be that large, allow more pixels");
}

void require_torchvision(const ImageBytes& image, const std::string& kind) {
  OPTOTORCH_CHECK(torchvision::is_there(), .where = image.name, .argument = "image",
                  .expected = "a PPM or BMP: this OptoTorch was built without TorchVision", .got = kind,
                  .remedy =
                      "Run tools/setup.sh and build again, or configure with "
                      "-DTorchVision_DIR=/path/to/torchvision's sources");
}

at::Tensor as_wanted(const at::Tensor& pixels, ImageFileMode mode) {
  const int64_t height = pixels.size(0), width = pixels.size(1), channels = pixels.size(2);
  const int64_t area = height * width;
  const at::Tensor image = at::empty({mode == ImageFileMode::rgb ? 3 : 1, height, width}, at::kByte);
  const uint8_t* from = pixels.const_data_ptr<uint8_t>();
  auto* const to = image.mutable_data_ptr<uint8_t>();
  if (mode == ImageFileMode::rgb) {
    if (channels == 3) {
      planes_of(from, to, to + area, to + 2 * area, area);
    } else {
      for (uint8_t* plane = to; plane != to + 3 * area; plane += area) {
        std::copy(from, from + area, plane);
      }
    }
  } else if (channels == 3) {
    for (int64_t i = 0; i < area; ++i, from += 3) {
      to[i] = grey_of(from);
    }
  } else {
    std::copy(from, from + area, to);
  }
  return image;
}

}  // namespace optotorch
