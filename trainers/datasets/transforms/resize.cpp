#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_geometry.h>
#include <optotorch/trainers/datasets/transforms/detail/random_box.h>
#include <optotorch/trainers/datasets/transforms/resize.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace optotorch::transforms {
namespace {

struct Window {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// (a * b) / c as Python divides whole numbers, without its fraction.
int64_t part(int64_t a, int64_t b, int64_t c) {
  return static_cast<int64_t>(static_cast<double>(a * b) / static_cast<double>(c));
}

/// Height and width.
std::array<int64_t, 2> resized_size(const ResizeOptions& options, const at::Tensor& image) {
  const auto& size = options.size();
  if (size.size() == 2) {
    return {size[0], size[1]};
  }
  const int64_t h = image.size(1), w = image.size(2);
  int64_t shorter = size[0], longer = part(size[0], std::max(h, w), std::min(h, w));
  if (options.max_size() > 0 && longer > options.max_size()) {
    shorter = part(options.max_size(), shorter, longer);
    longer = options.max_size();
  }
  OPTOTORCH_CHECK(shorter >= 1 && longer <= longest_side, .where = "Resize", .argument = "image",
                  .expected = c10::str("sides that become 1 to ", longest_side),
                  .got = c10::str(shorter, " and ", longer, " of ", describe(image)));
  return w <= h ? std::array<int64_t, 2>{longer, shorter} : std::array<int64_t, 2>{shorter, longer};
}

Window random_window(const at::Tensor& image, const RandomResizedCropOptions& options,
                     const std::vector<double>& log_ratio, Draws& draws) {
  const int64_t height = image.size(1), width = image.size(2);
  for (int trial = 0; trial < 10; ++trial) {
    const auto [w, h] = random_sides(height * width, options.scale(), log_ratio, draws);
    if (0 < w && w <= width && 0 < h && h <= height) {
      const int64_t top = draws.integer(0, height - h + 1);
      const int64_t left = draws.integer(0, width - w + 1);
      return {top, left, h, w};
    }
  }
  const double own = static_cast<double>(width) / static_cast<double>(height);
  const double low = options.ratio()[0], high = options.ratio()[1];
  int64_t w = width, h = height;
  if (own < low) {
    h = static_cast<int64_t>(std::nearbyint(static_cast<double>(w) / low));
  } else if (own > high) {
    w = static_cast<int64_t>(std::nearbyint(static_cast<double>(h) * high));
  }
  OPTOTORCH_CHECK(w >= 1 && h >= 1, .where = "RandomResizedCrop", .argument = "image",
                  .expected = "room for a window of such a shape", .got = describe(image));
  return {(height - h) / 2, (width - w) / 2, h, w};
}

const RegisteredTransform resize_type(transform_type<Resize>("Resize", ResizeOptions(1), /*required=*/1));
const RegisteredTransform random_resized_crop_type(
    transform_type<RandomResizedCrop>("RandomResizedCrop", RandomResizedCropOptions(1), /*required=*/1));

}  // namespace

Resize::Resize(ResizeOptions options) : OptionsTransform(std::move(options)) {
  check_size("Resize", this->options().size());
  const int64_t limit = this->options().max_size();
  const auto& size = this->options().size();
  OPTOTORCH_CHECK(limit == 0 || (size.size() == 1 && limit > size[0] && limit <= longest_side),
                  .where = "Resize", .argument = "max_size",
                  .expected = "0, or more than the one number of size", .got = std::to_string(limit));
}

at::Tensor Resize::transform(const at::Tensor& image, Draws& /*draws*/) const {
  const auto [height, width] = resized_size(options(), image);
  return resize(image, height, width, options().interpolation(), options().antialias());
}

RandomResizedCrop::RandomResizedCrop(RandomResizedCropOptions options)
    : OptionsTransform(std::move(options)) {
  constexpr auto name = "RandomResizedCrop";
  constexpr double above_zero = std::numeric_limits<float>::min(), most = std::numeric_limits<float>::max();
  check_size(name, this->options().size());
  check_range(name, "scale", this->options().scale(), 0, most);
  check_range(name, "ratio", this->options().ratio(), above_zero, most);
  log_ratio_ = log_of(this->options().ratio());
}

at::Tensor RandomResizedCrop::transform(const at::Tensor& image, Draws& draws) const {
  const auto [top, left, height, width] = random_window(image, options(), log_ratio_, draws);
  const auto& size = options().size();
  return resize(crop_view(image, top, left, height, width), size.front(), size.back(),
                options().interpolation(), options().antialias());
}

}  // namespace optotorch::transforms
