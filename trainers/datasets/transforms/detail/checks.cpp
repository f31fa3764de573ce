#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>

#include <algorithm>
#include <cmath>

namespace optotorch::transforms {
namespace {

bool is_image_type(at::ScalarType type) {
  switch (type) {
    case at::kByte:
    case at::kChar:
    case at::kShort:
    case at::kInt:
    case at::kLong:
    case at::kFloat:
    case at::kDouble:
      return true;
    default:
      return false;
  }
}

}  // namespace

template <typename Number>
std::string text_of(const std::vector<Number>& numbers) {
  return c10::str("[", c10::Join(", ", numbers), "]");
}
template std::string text_of(const std::vector<int64_t>& numbers);
template std::string text_of(const std::vector<double>& numbers);

void check_image(const at::Tensor& image) {
  const bool fits = image.defined() && image.layout() == at::kStrided && image.device().is_cpu() &&
                    image.dim() == 3 && image.numel() > 0 && is_image_type(image.scalar_type());
  OPTOTORCH_CHECK(
      fits, .where = "Transform", .argument = "image",
      .expected = "uint8, a signed integer type, float32 or float64 [C, H, W] on the CPU",
      .got = describe(image),
      .remedy = image.defined() && image.dim() == 4 ? "A batch is transformed image by image" : "");
}

void check_colours(const char* where, const at::Tensor& image) {
  const int64_t channels = image.size(0);
  OPTOTORCH_CHECK(channels == 1 || channels == 3, .where = where, .argument = "image",
                  .expected = "1 or 3 channels", .got = describe(image));
}

void check_usual_type(const char* where, const at::Tensor& image) {
  const auto type = image.scalar_type();
  OPTOTORCH_CHECK(type == at::kByte || type == at::kFloat || type == at::kDouble, .where = where,
                  .argument = "image", .expected = "uint8, float32 or float64", .got = describe(image),
                  .remedy = "ConvertImageDtype makes another type of it");
}

void check_usual_image(const char* where, const at::Tensor& image) {
  check_usual_type(where, image);
  check_colours(where, image);
}

void check_bytes(const char* where, const at::Tensor& image) {
  OPTOTORCH_CHECK(image.scalar_type() == at::kByte, .where = where, .argument = "image", .expected = "uint8",
                  .got = describe(image), .remedy = "Put it before ConvertImageDtype");
}

void check_probability(const char* where, double p) {
  OPTOTORCH_CHECK(p >= 0 && p <= 1, .where = where, .argument = "p", .expected = "0 to 1",
                  .got = c10::str(p));
}

void check_size(const char* where, const std::vector<int64_t>& size) {
  const bool fits =
      (size.size() == 1 || size.size() == 2) &&
      std::all_of(size.begin(), size.end(), [](int64_t side) { return side >= 1 && side <= longest_side; });
  OPTOTORCH_CHECK(fits, .where = where, .argument = "size",
                  .expected = c10::str("one or two numbers (height, width) from 1 to ", longest_side),
                  .got = text_of(size));
}

void check_range(const char* where, const char* argument, const std::vector<double>& range, double low,
                 double high) {
  const bool fits = range.size() == 2 && std::isfinite(range[0]) && std::isfinite(range[1]) &&
                    low <= range[0] && range[0] <= range[1] && range[1] <= high;
  OPTOTORCH_CHECK(fits, .where = where, .argument = argument,
                  .expected = c10::str("two numbers, the lesser first, from ", low, " to ", high),
                  .got = text_of(range));
}

void check_numbers(const char* where, const char* argument, const std::vector<double>& values) {
  OPTOTORCH_CHECK(
      std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }),
      .where = where, .argument = argument, .expected = "finite numbers", .got = text_of(values));
}

void check_centre(const char* where, const std::vector<double>& center) {
  OPTOTORCH_CHECK(center.empty() || center.size() == 2, .where = where, .argument = "center",
                  .expected = "two numbers (x, y), or none for the image's own", .got = text_of(center));
  check_numbers(where, "center", center);
}

void check_warp(const char* where, Interpolation interpolation) {
  OPTOTORCH_CHECK(interpolation == Interpolation::nearest || interpolation == Interpolation::bilinear,
                  .where = where, .argument = "interpolation", .expected = "nearest or bilinear",
                  .got = words(interpolation).at(static_cast<size_t>(interpolation)));
}

void check_per_channel(const char* where, const char* argument, const std::vector<double>& values,
                       const at::Tensor& image) {
  const auto count = static_cast<int64_t>(values.size());
  OPTOTORCH_CHECK(count <= 1 || count == image.size(0), .where = where, .argument = argument,
                  .expected = c10::str("one value, or one for each of ", image.size(0), " channels"),
                  .got = c10::str(count, " values"));
}

}  // namespace optotorch::transforms
