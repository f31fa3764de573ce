#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/detail/image_bytes.h>

#include <array>
#include <cmath>

namespace optotorch {
namespace {

bool is_space(uint8_t byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/// The numbers of a Netpbm file, one after the other.
class Numbers {
 public:
  explicit Numbers(const ImageBytes& image) : image_(image) {}

  /// The next one, and one byte of space behind it, unless the file ends there.
  uint32_t next(uint32_t most, const std::string& what) {
    skip_space();
    uint64_t number = 0;
    const size_t begin = position_;
    for (; position_ < size() && !is_space(byte()) && byte() != '#'; ++position_) {
      if (byte() < '0' || byte() > '9' || position_ - begin >= 10) {
        image_.refuse("a sound PPM: " + what, "no number");
      }
      number = number * 10 + (byte() - '0');
    }
    if (position_ == begin) {
      image_.refuse("a sound PPM: " + what, "the end of the file");
    }
    if (number > most) {
      image_.refuse(c10::str("a PPM whose ", what, " is at most ", most), std::to_string(number));
    }
    if (position_ < size() && byte() == '#') {
      skip_comment();
    }
    position_ += position_ < size() ? 1 : 0;
    return static_cast<uint32_t>(number);
  }

  size_t position() const { return position_; }

 private:
  size_t size() const { return image_.bytes.size(); }
  uint8_t byte() const { return image_.at(position_); }
  void skip_comment() {
    while (position_ < size() && byte() != '\n' && byte() != '\r') {
      ++position_;
    }
  }
  void skip_space() {
    for (; position_ < size() && (is_space(byte()) || byte() == '#'); ++position_) {
      if (byte() == '#') {
        skip_comment();
        if (position_ == size()) {
          return;
        }
      }
    }
  }

  const ImageBytes& image_;
  size_t position_ = 2;
};

/// value / most * 255, rounded to even as Python does.
std::array<uint8_t, 256> scale(uint32_t most) {
  std::array<uint8_t, 256> scaled{};
  for (uint32_t value = 0; value < 256; ++value) {
    scaled[value] =
        static_cast<uint8_t>(std::min(255.0, std::nearbyint(static_cast<double>(value) / most * 255)));
  }
  return scaled;
}

}  // namespace

at::Tensor read_netpbm(const ImageBytes& image) {
  const char kind = image.bytes[1];
  const bool plain = kind == '2' || kind == '3';
  const uint64_t channels = kind == '3' || kind == '6' ? 3 : 1;
  if (image.bytes.size() < 3 || !is_space(image.at(2))) {
    image.refuse("a sound PPM", "no space behind its first two letters");
  }
  Numbers numbers(image);
  constexpr uint32_t most_size = 0x7fffffff;
  const uint32_t width = numbers.next(most_size, "width"), height = numbers.next(most_size, "height");
  image.check_size(width, height);
  const uint32_t most = numbers.next(255, "largest value");
  if (most == 0) {
    image.refuse("a PPM whose largest value is 1 to 255", "0");
  }
  const uint64_t count = channels * width * height;
  const uint64_t left = image.bytes.size() - numbers.position();
  // A plain number takes a digit, and a space if another follows.
  if (left < (plain ? 2 * count - 1 : count)) {
    image.refuse(c10::str("a sound PPM: ", width, " x ", height, " pixels"),
                 c10::str(left, " bytes of them"));
  }
  const at::Tensor pixels = at::empty(
      {static_cast<int64_t>(height), static_cast<int64_t>(width), static_cast<int64_t>(channels)}, at::kByte);
  auto* const to = pixels.mutable_data_ptr<uint8_t>();
  const auto scaled = scale(most);
  for (uint64_t i = 0; i < count; ++i) {
    to[i] = scaled[plain ? numbers.next(most, "value") : image.at(numbers.position() + i)];
  }
  return as_wanted(pixels, image.mode);
}

}  // namespace optotorch
