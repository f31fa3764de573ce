#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/byte_table.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_color.h>
#include <optotorch/trainers/datasets/transforms/detail/hue.h>

#include <algorithm>

namespace optotorch::transforms {
namespace {

bool is_bytes(const at::Tensor& image) {
  return image.scalar_type() == at::kByte;
}

uint8_t cut(float value) {
  return static_cast<uint8_t>(std::min(std::max(value, 0.0F), 255.0F));
}

uint8_t grey_of(uint8_t r, uint8_t g, uint8_t b) {
  return static_cast<uint8_t>(0.2989F * static_cast<float>(r) + 0.587F * static_cast<float>(g) +
                              0.114F * static_cast<float>(b));
}

at::Tensor grey_bytes(const at::Tensor& image) {
  const at::Tensor from = image.contiguous();
  at::Tensor to = at::empty({1, from.size(1), from.size(2)}, from.options());
  const int64_t count = to.numel();
  const auto* const r = from.const_data_ptr<uint8_t>();
  const auto* const g = r + count;
  const auto* const b = g + count;
  auto* const y = to.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    y[i] = grey_of(r[i], g[i], b[i]);
  }
  return to;
}

/// The mean of a grey image, in its float type.
at::Tensor mean_of(const at::Tensor& image) {
  const at::Tensor values = is_bytes(image) ? image.to(at::kFloat) : image;
  return values.mean(at::IntArrayRef{-3, -2, -1}, /*keepdim=*/true);
}

/// The same of bytes. As long as float32 holds their sum, the order of summation does not matter.
float mean_of_bytes(const at::Tensor& image) {
  constexpr int64_t exact = int64_t{1} << 24;
  const int64_t count = image.numel();
  if (count <= exact / 255) {
    const at::Tensor dense = image.contiguous();
    const auto* const values = dense.const_data_ptr<uint8_t>();
    int64_t sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      sum += values[i];
    }
    return static_cast<float>(sum) / static_cast<float>(count);
  }
  return mean_of(image).item<float>();
}

/// ratio * image + rest, where `rest` is one number.
at::Tensor blend_bytes(const at::Tensor& image, float ratio, float rest) {
  return look_up(image, byte_table([&](uint8_t v) { return cut(ratio * static_cast<float>(v) + rest); }));
}

/// Of bytes [C, H, W] and [1, H, W].
at::Tensor blend_with_grey(const at::Tensor& image, const at::Tensor& one, double ratio) {
  const at::Tensor from = image.contiguous();
  at::Tensor to = at::empty(from.sizes(), from.options());
  const auto a = static_cast<float>(ratio), b = static_cast<float>(1.0 - ratio);
  const int64_t count = one.numel();
  const auto* const other = one.const_data_ptr<uint8_t>();
  for (int64_t c = 0; c < from.size(0); ++c) {
    const auto* const source = from.const_data_ptr<uint8_t>() + c * count;
    auto* const target = to.mutable_data_ptr<uint8_t>() + c * count;
    for (int64_t i = 0; i < count; ++i) {
      target[i] = cut(a * static_cast<float>(source[i]) + b * static_cast<float>(other[i]));
    }
  }
  return to;
}

}  // namespace

double bound_of(const at::Tensor& image) {
  return is_bytes(image) ? 255.0 : 1.0;
}

at::Tensor grey(const at::Tensor& image, int64_t channels) {
  if (image.size(0) == 1) {
    return image;
  }
  const at::Tensor one =
      is_bytes(image)
          ? grey_bytes(image)
          : (image.select(0, 0) * 0.2989 + image.select(0, 1) * 0.587 + image.select(0, 2) * 0.114)
                .unsqueeze(0);
  return channels == 1 ? one : one.expand(image.sizes()).contiguous();
}

at::Tensor blend(const at::Tensor& image, const at::Tensor& other, double ratio) {
  return (image * ratio + other * (1.0 - ratio)).clamp_(0, bound_of(image)).to(image.scalar_type());
}

at::Tensor adjust_brightness(const at::Tensor& image, double factor) {
  if (is_bytes(image)) {
    return blend_bytes(image, static_cast<float>(factor), 0.0F);
  }
  return blend(image, at::zeros_like(image), factor);
}

at::Tensor adjust_contrast(const at::Tensor& image, double factor) {
  const at::Tensor one = grey(image, 1);
  if (is_bytes(image)) {
    return blend_bytes(image, static_cast<float>(factor),
                       static_cast<float>(1.0 - factor) * mean_of_bytes(one));
  }
  return blend(image, mean_of(one), factor);
}

at::Tensor adjust_saturation(const at::Tensor& image, double factor) {
  if (image.size(0) == 1) {
    return image;
  }
  const at::Tensor one = grey(image, 1);
  return is_bytes(image) ? blend_with_grey(image, one, factor) : blend(image, one, factor);
}

at::Tensor adjust_hue(const at::Tensor& image, double factor) {
  if (image.size(0) == 1) {
    return image;
  }
  return is_bytes(image) ? turned_hue_of_bytes(image, factor) : turned_hue(image, factor);
}

}  // namespace optotorch::transforms
