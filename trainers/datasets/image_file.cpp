#include <ATen/core/Tensor.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/image_bytes.h>
#include <optotorch/trainers/datasets/image_file.h>

#include <string_view>
#include <utility>

namespace optotorch {
namespace {

using namespace std::string_view_literals;

bool begins_with(const ImageBytes& image, std::string_view bytes) {
  return image.bytes.substr(0, bytes.size()) == bytes;
}

/// The name of a format that is known but not read; otherwise the first bytes.
std::string guess(const ImageBytes& image) {
  for (const auto& [first, name] : {std::pair{"GIF8"sv, "a GIF"},
                                    {"II*\0"sv, "a TIFF"},
                                    {"MM\0*"sv, "a TIFF"},
                                    {"RIFF"sv, "a WebP, or another RIFF"},
                                    {"P1"sv, "a picture of bits (P1)"},
                                    {"P4"sv, "a picture of bits (P4)"},
                                    {"P7"sv, "a PAM (P7)"},
                                    {"<"sv, "a text that begins with <"}}) {
    if (begins_with(image, first)) {
      return name;
    }
  }
  if (image.bytes.empty()) {
    return "an empty file";
  }
  std::string bytes = "a file that begins with";
  for (size_t i = 0; i < std::min<size_t>(image.bytes.size(), 4); ++i) {
    constexpr auto digits = "0123456789abcdef";
    bytes += c10::str(" ", digits[image.at(i) >> 4], digits[image.at(i) & 15]);
  }
  return bytes;
}

}  // namespace

at::Tensor read_image_file(const std::string& path, ImageFileMode mode, int64_t most_pixels) {
  return read_image_file(open_regular_file(path, "read_image_file"), mode, most_pixels);
}

at::Tensor read_image_file(InputFile file, ImageFileMode mode, int64_t most_pixels) {
  constexpr int64_t most = (int64_t{1} << 31) - 1;
  OPTOTORCH_CHECK(most_pixels >= 1 && most_pixels <= most, .where = "read_image_file",
                  .argument = "most_pixels", .expected = c10::str("1 to ", most),
                  .got = std::to_string(most_pixels));
  // The least thrifty format is plain PPM, with 12 bytes a pixel and comments.
  const uint64_t longest = (uint64_t{1} << 26) + 16 * static_cast<uint64_t>(most_pixels);
  OPTOTORCH_CHECK(file.size() <= longest, .where = file.name(), .argument = "image",
                  .expected = c10::str("at most ", longest, " bytes"), .got = std::to_string(file.size()));
  const std::string bytes = file.rest();
  const ImageBytes image{bytes, file.name(), mode, most_pixels};
  if (begins_with(image, "\xff\xd8\xff")) {
    return read_jpeg(image);
  }
  if (begins_with(image, "\x89PNG\r\n\x1a\n")) {
    return read_png(image);
  }
  if (begins_with(image, "P2") || begins_with(image, "P3") || begins_with(image, "P5") ||
      begins_with(image, "P6")) {
    return read_netpbm(image);
  }
  if (begins_with(image, "BM")) {
    return read_bmp(image);
  }
  image.refuse("a JPEG, PNG, PPM (P2, P3, P5, P6) or BMP", guess(image));
}

}  // namespace optotorch
