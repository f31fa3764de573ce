#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_color.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_conversion.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_filter.h>

namespace optotorch::transforms {
namespace {

at::Tensor kernel_1d(int64_t size, double sigma, at::ScalarType type) {
  const double half = static_cast<double>(size - 1) * 0.5;
  const at::Tensor x = at::linspace(-half, half, size, at::TensorOptions(type));
  const at::Tensor density = at::exp((x / sigma).pow(2) * -0.5);
  return density / density.sum();
}

/// Every channel of [1, C, H, W] by the kernel [height, width].
at::Tensor convolved(const at::Tensor& batch, const at::Tensor& kernel) {
  const int64_t channels = batch.size(1);
  constexpr std::array<int64_t, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
  return at::conv2d(batch, kernel.expand({channels, 1, kernel.size(0), kernel.size(1)}), std::nullopt, stride,
                    padding, dilation, /*groups=*/channels);
}

at::Tensor as_type(const at::Tensor& values, at::ScalarType type) {
  return values.scalar_type() == type ? values : values.round().to(type);
}

}  // namespace

at::Tensor gaussian_blur(const at::Tensor& image, const std::array<int64_t, 2>& kernel_size, double sigma) {
  const auto type = float_type(image);
  const auto [width, height] = kernel_size;
  const at::Tensor kernel =
      at::mm(kernel_1d(height, sigma, type).unsqueeze(1), kernel_1d(width, sigma, type).unsqueeze(0));
  const at::Tensor batch =
      at::reflection_pad2d(image.unsqueeze(0).to(type), {width / 2, width / 2, height / 2, height / 2});
  return as_type(convolved(batch, kernel).squeeze(0), image.scalar_type());
}

at::Tensor adjust_sharpness(const at::Tensor& image, double factor) {
  const int64_t height = image.size(1), width = image.size(2);
  if (height <= 2 || width <= 2) {
    return image;
  }
  const auto type = float_type(image);
  at::Tensor kernel = at::ones({3, 3}, at::TensorOptions(type));
  kernel[1][1] = 5.0;
  kernel /= kernel.sum();
  const at::Tensor smooth = convolved(image.unsqueeze(0).to(type), kernel).squeeze(0);
  at::Tensor other = image.clone();
  other.slice(1, 1, height - 1).slice(2, 1, width - 1).copy_(as_type(smooth, image.scalar_type()));
  return blend(image, other, factor);
}

}  // namespace optotorch::transforms
