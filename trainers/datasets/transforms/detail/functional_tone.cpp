#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/byte_table.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_tone.h>

#include <algorithm>
#include <cmath>

namespace optotorch::transforms {
namespace {

ByteTable identity() {
  return byte_table([](uint8_t v) { return v; });
}

/// Every channel of a uint8 image by a table of its own, which `table_of(begin, end)` makes of its pixels.
template <typename TableOf>
at::Tensor channel_by_channel(const at::Tensor& image, TableOf&& table_of) {
  const at::Tensor from = image.contiguous();
  at::Tensor to = at::empty(from.sizes(), from.options());
  const int64_t count = from.size(1) * from.size(2);
  for (int64_t c = 0; c < from.size(0); ++c) {
    const auto* const begin = from.const_data_ptr<uint8_t>() + c * count;
    const ByteTable table = table_of(begin, begin + count);
    std::transform(begin, begin + count, to.mutable_data_ptr<uint8_t>() + c * count,
                   [&](uint8_t value) { return table[value]; });
  }
  return to;
}

ByteTable stretching_table(const uint8_t* begin, const uint8_t* end) {
  const auto [least, most] = std::minmax_element(begin, end);
  if (*least == *most) {
    return identity();
  }
  // 255 / x is 255 * (1 / x) in Python's operators of tensors.
  const auto low = static_cast<float>(*least);
  const float scale = 1.0F / (static_cast<float>(*most) - low) * 255.0F;
  return byte_table([&](uint8_t v) {
    const float value = (static_cast<float>(v) - low) * scale;
    return static_cast<uint8_t>(std::min(std::max(value, 0.0F), 255.0F));
  });
}

ByteTable equalizing_table(const uint8_t* begin, const uint8_t* end) {
  std::array<int64_t, 256> histogram{};
  std::for_each(begin, end, [&](uint8_t value) { ++histogram[value]; });
  const auto last =
      std::find_if(histogram.rbegin(), histogram.rend(), [](int64_t count) { return count != 0; });
  const int64_t step = (end - begin - *last) / 255;
  if (step == 0) {
    return identity();
  }
  int64_t below = 0;
  return byte_table([&](uint8_t v) {
    const auto value = v == 0 ? 0 : std::min<int64_t>((below + step / 2) / step, 255);
    below += histogram[v];
    return static_cast<uint8_t>(value);
  });
}

}  // namespace

at::Tensor invert(const at::Tensor& image) {
  if (image.scalar_type() == at::kByte) {
    return look_up(image, byte_table([](uint8_t v) { return static_cast<uint8_t>(255 - v); }));
  }
  return 1 - image;
}

at::Tensor posterize(const at::Tensor& image, int64_t bits) {
  const auto mask = static_cast<uint8_t>(0xff00 >> bits);
  return look_up(image, byte_table([&](uint8_t v) { return static_cast<uint8_t>(v & mask); }));
}

at::Tensor solarize(const at::Tensor& image, double threshold) {
  if (image.scalar_type() == at::kByte) {
    const auto from = static_cast<float>(threshold);  // bytes and a float are compared in float32
    return look_up(image, byte_table([&](uint8_t v) {
                     return static_cast<float>(v) >= from ? static_cast<uint8_t>(255 - v) : v;
                   }));
  }
  return at::where(image >= threshold, 1 - image, image);
}

at::Tensor autocontrast(const at::Tensor& image) {
  if (image.scalar_type() == at::kByte) {
    return channel_by_channel(image, stretching_table);
  }
  const at::Tensor least = image.amin({-2, -1}, /*keepdim=*/true),
                   most = image.amax({-2, -1}, /*keepdim=*/true);
  const at::Tensor scale = (most - least).reciprocal() * 1;
  const at::Tensor is_flat = scale.isfinite().logical_not();
  return ((image - least.masked_fill(is_flat, 0)) * scale.masked_fill(is_flat, 1)).clamp(0, 1);
}

at::Tensor equalize(const at::Tensor& image) {
  return channel_by_channel(image, equalizing_table);
}

}  // namespace optotorch::transforms
