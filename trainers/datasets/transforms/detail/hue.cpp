#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/hue.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace optotorch::transforms {
namespace {

struct Colour {
  float r, g, b;
};

float within_one(float value) {
  return std::min(std::max(value, 0.0F), 1.0F);
}

/// Of values from 0 to 1. Every operation is rounded as torchvision's tensors round it.
Colour turn(const Colour& in, float factor) {
  const auto [r, g, b] = in;
  const float most = std::max({r, g, b}), least = std::min({r, g, b});
  const bool is_grey = most == least;
  const float range = most - least;
  const float s = range / (is_grey ? 1.0F : most);
  const float divisor = is_grey ? 1.0F : range;
  const float rc = (most - r) / divisor, gc = (most - g) / divisor, bc = (most - b) / divisor;
  float h = most == r ? bc - gc : most == g ? 2.0F + rc - bc : 4.0F + gc - rc;
  h = h / 6.0F + 1.0F;
  h = h >= 1.0F ? h - 1.0F : h;

  h += factor;
  h = h >= 1.0F ? h - 1.0F : h;
  h = h < 0.0F ? h + 1.0F : h;

  const float sixth = std::floor(h * 6.0F);
  const float f = h * 6.0F - sixth;
  const float v = most;
  const float p = within_one(v * (1.0F - s));
  const float q = within_one(v * (1.0F - s * f));
  const float t = within_one(v * (1.0F - s * (1.0F - f)));
  switch (static_cast<int>(sixth) % 6) {
    case 0:
      return {v, t, p};
    case 1:
      return {q, v, p};
    case 2:
      return {p, v, t};
    case 3:
      return {p, q, v};
    case 4:
      return {t, p, v};
    default:
      return {v, p, q};
  }
}

uint8_t byte_of(float value) {
  return static_cast<uint8_t>(value * static_cast<float>(255.0 + 1.0 - 1e-3));
}

/// Hue, saturation and value.
std::array<at::Tensor, 3> hue_saturation_value(const at::Tensor& image) {
  const at::Tensor r = image.select(0, 0), g = image.select(0, 1), b = image.select(0, 2);
  const at::Tensor most = std::get<0>(image.max(0)), least = std::get<0>(image.min(0));
  const at::Tensor is_grey = most == least, range = most - least, ones = at::ones_like(most);
  const at::Tensor s = range / at::where(is_grey, ones, most);
  const at::Tensor divisor = at::where(is_grey, ones, range);
  const at::Tensor rc = (most - r) / divisor, gc = (most - g) / divisor, bc = (most - b) / divisor;
  const at::Tensor hr = (most == r) * (bc - gc);
  const at::Tensor hg = at::logical_and(most == g, most != r) * (rc + 2.0 - bc);
  const at::Tensor hb = at::logical_and(most != g, most != r) * (gc + 4.0 - rc);
  return {at::fmod((hr + hg + hb) / 6.0 + 1.0, 1.0), s, most};
}

at::Tensor red_green_blue(const at::Tensor& h, const at::Tensor& s, const at::Tensor& v) {
  const at::Tensor sixth = at::floor(h * 6.0), f = h * 6.0 - sixth;
  const at::Tensor p = at::clamp(v * (1.0 - s), 0.0, 1.0);
  const at::Tensor q = at::clamp(v * (1.0 - s * f), 0.0, 1.0);
  const at::Tensor t = at::clamp(v * (1.0 - s * (1.0 - f)), 0.0, 1.0);
  const at::Tensor index = sixth.to(at::kInt).remainder(6);
  const at::Tensor mask = index.unsqueeze(0) == at::arange(6, at::kLong).view({-1, 1, 1});
  const at::Tensor all = at::stack(
      {at::stack({v, q, p, p, t, v}), at::stack({t, v, v, q, p, p}), at::stack({p, p, t, v, v, q})});
  return at::einsum("ijk,xijk->xjk", {mask.to(h.scalar_type()), all});
}

}  // namespace

at::Tensor turned_hue_of_bytes(const at::Tensor& image, double factor) {
  const at::Tensor from = image.contiguous();
  at::Tensor to = at::empty(from.sizes(), from.options());
  const int64_t count = from.size(1) * from.size(2);
  const auto* const in = from.const_data_ptr<uint8_t>();
  auto* const out = to.mutable_data_ptr<uint8_t>();
  std::array<float, 256> unit{};
  for (size_t value = 0; value < unit.size(); ++value) {
    unit[value] = static_cast<float>(value) / 255.0F;
  }
  for (int64_t i = 0; i < count; ++i) {
    const auto turned =
        turn({unit[in[i]], unit[in[count + i]], unit[in[2 * count + i]]}, static_cast<float>(factor));
    out[i] = byte_of(turned.r);
    out[count + i] = byte_of(turned.g);
    out[2 * count + i] = byte_of(turned.b);
  }
  return to;
}

at::Tensor turned_hue(const at::Tensor& image, double factor) {
  const auto [h, s, v] = hue_saturation_value(image.to(at::kFloat));
  return red_green_blue((h + factor).remainder(1.0), s, v).to(image.scalar_type());
}

}  // namespace optotorch::transforms
