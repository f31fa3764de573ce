#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/crop.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_geometry.h>

#include <algorithm>
#include <cmath>

namespace optotorch::transforms {
namespace {

void check_padding(const char* where, const std::vector<int64_t>& padding, bool may_be_empty) {
  const size_t count = padding.size();
  const bool fits = (count == 1 || count == 2 || count == 4 || (may_be_empty && count == 0)) &&
                    std::all_of(padding.begin(), padding.end(),
                                [](int64_t side) { return side >= 0 && side <= longest_side; });
  OPTOTORCH_CHECK(fits, .where = where, .argument = "padding",
                  .expected = c10::str("1, 2 or 4 numbers from 0 to ", longest_side),
                  .got = text_of(padding));
}

void check_value(const char* where, double fill) {
  OPTOTORCH_CHECK(std::isfinite(fill), .where = where, .argument = "fill", .expected = "a finite number",
                  .got = c10::str(fill));
}

Sources part(const Sources& of, int64_t first, int64_t count) {
  return {of.begin() + first, of.begin() + first + count};
}

const RegisteredTransform center_crop_type(transform_type<CenterCrop>("CenterCrop", CenterCropOptions(1),
                                                                      /*required=*/1));
const RegisteredTransform random_crop_type(transform_type<RandomCrop>("RandomCrop", RandomCropOptions(1),
                                                                      /*required=*/1));
const RegisteredTransform pad_type(transform_type<Pad>("Pad", PadOptions(0), /*required=*/1));

}  // namespace

CenterCrop::CenterCrop(CenterCropOptions options) : OptionsTransform(std::move(options)) {
  check_size("CenterCrop", this->options().size());
}

at::Tensor CenterCrop::transform(const at::Tensor& image, Draws& /*draws*/) const {
  return center_crop(image, options().size().front(), options().size().back(), "CenterCrop");
}

RandomCrop::RandomCrop(RandomCropOptions options) : OptionsTransform(std::move(options)) {
  check_size("RandomCrop", this->options().size());
  check_padding("RandomCrop", this->options().padding(), /*may_be_empty=*/true);
  check_value("RandomCrop", this->options().fill());
}

at::Tensor RandomCrop::transform(const at::Tensor& image, Draws& draws) const {
  constexpr auto name = "RandomCrop";
  const int64_t height = options().size().front(), width = options().size().back();
  const auto mode = options().padding_mode();
  const auto around = borders(options().padding());
  const auto lacking = [&](int64_t wanted, int64_t there) {
    return options().pad_if_needed() ? std::max<int64_t>(wanted - there, 0) : 0;
  };
  const int64_t own_height = image.size(1) + around.top + around.bottom;
  const int64_t own_width = image.size(2) + around.left + around.right;
  const int64_t more_rows = lacking(height, own_height), more_columns = lacking(width, own_width);
  const int64_t rows = own_height + 2 * more_rows, columns = own_width + 2 * more_columns;
  OPTOTORCH_CHECK(height <= rows && width <= columns, .where = name, .argument = "image",
                  .expected = c10::str("at least ", height, " x ", width),
                  .got = c10::str(rows, " x ", columns, ", padding included"),
                  .remedy = "pad_if_needed adds what is missing");

  int64_t top = 0, left = 0;
  if (rows != height || columns != width) {
    top = draws.integer(0, rows - height + 1);
    left = draws.integer(0, columns - width + 1);
  }
  if (rows == image.size(1) && columns == image.size(2)) {
    return crop(image, top, left, height, width);
  }
  if (mode == PaddingMode::constant) {
    check_fill(name, options().fill(), image);
  }
  const auto axis = [&](int64_t count, int64_t before, int64_t after, int64_t more) {
    return padded(padded(sources(count), before, after, mode, name), more, more, mode, name);
  };
  return gather(image, part(axis(image.size(1), around.top, around.bottom, more_rows), top, height),
                part(axis(image.size(2), around.left, around.right, more_columns), left, width),
                options().fill());
}

Pad::Pad(PadOptions options) : OptionsTransform(std::move(options)) {
  check_padding("Pad", this->options().padding(), /*may_be_empty=*/false);
  check_value("Pad", this->options().fill());
}

at::Tensor Pad::transform(const at::Tensor& image, Draws& /*draws*/) const {
  const auto around = borders(options().padding());
  const auto mode = options().padding_mode();
  if (mode == PaddingMode::constant) {
    check_fill("Pad", options().fill(), image);
  }
  return gather(image, padded(sources(image.size(1)), around.top, around.bottom, mode, "Pad"),
                padded(sources(image.size(2)), around.left, around.right, mode, "Pad"), options().fill());
}

}  // namespace optotorch::transforms
