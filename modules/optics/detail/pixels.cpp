#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <optotorch/modules/optics/detail/pixels.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

/// Part of each of `count` samples along a pixel's side that lies within its bright middle, [count, 1, 1] x [count].
torch::Tensor bright(int64_t count, double fill_factor, const torch::Tensor& like) {
  const auto samples = static_cast<double>(count);
  const double dark = (1 - std::sqrt(fill_factor)) / 2 * samples;
  auto weight = torch::zeros({count}, torch::kFloat64);
  for (const auto n : c10::irange(count)) {
    const auto first = static_cast<double>(n);
    weight[n] = std::max(0.0, std::min(first + 1, samples - dark) - std::max(first, dark));
  }
  return (weight.view({count, 1, 1}) * weight)
      .to(like.options().dtype(c10::toRealValueType(like.scalar_type())));
}

}  // namespace

torch::Tensor sampled_pixels(const torch::Tensor& pixels, int64_t samples, double fill_factor) {
  if (samples == 1 && fill_factor == 1) {
    return pixels;
  }
  const auto fine = pixels.unsqueeze(-2).unsqueeze(-1) * bright(samples, fill_factor, pixels);
  return fine.flatten(-2).flatten(-3, -2);
}

torch::Tensor summed_samples(const torch::Tensor& samples, int64_t count, double fill_factor) {
  if (count == 1 && fill_factor == 1) {
    return samples;
  }
  const auto parts = samples.unflatten(-1, {-1, count}).unflatten(-3, {-1, count});
  return (parts * bright(count, fill_factor, samples)).sum({-3, -1});
}

}  // namespace optotorch
