#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/detail/or_one.h>
#include <optotorch/modules/optics/fourier_lens.h>

namespace optotorch {
namespace {

/// mean |c| of a sample, by which it is divided: 1 for a black image, which stays black.
torch::Tensor mean_amplitude(const torch::Tensor& c) {
  return or_one(c.abs().mean(1, /*keepdim=*/true));
}

}  // namespace

FourierLensImpl::FourierLensImpl(FourierLensOptions options_)
    : CloneableLayer("FourierLens"), options(options_) {
  OPTOTORCH_CHECK(options.window() >= 1, .where = "FourierLens", .argument = "window",
                  .expected = "at least 1", .got = std::to_string(options.window()));
}

void FourierLensImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() == 4 && x.size(1) == 1 &&
          x.size(2) >= options.window() && x.size(3) >= options.window(),
      .where = "FourierLens", .argument = "input",
      .expected = c10::str("real images [batch, 1, height, width], each side at least ", options.window()),
      .got = describe(x));
}

torch::Tensor FourierLensImpl::crop(const torch::Tensor& x) const {
  const int64_t window = options.window(), half = window / 2;
  // LibTorch's transform does not take an empty batch.
  const auto spectrum = x.size(0) == 0 ? x.to(c10::toComplexType(x.scalar_type())) : at::fft_fft2(x);
  // The window's first row is the frequency -half. Rolled by that, it begins at 0 for images of any size,
  // also in an exported network.
  return at::roll(spectrum, {half, half}, {2, 3}).narrow(2, 0, window).narrow(3, 0, window).flatten(1);
}

torch::Tensor FourierLensImpl::compute(const torch::Tensor& x, Pass* kept) {
  const auto c = crop(x);
  return c / mean_amplitude(c);
}

torch::Tensor FourierLensImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  if (!to_input) {
    return {};
  }
  if (pass.input.size(0) == 0) {
    return at::zeros_like(pass.input);
  }
  // y = c / m, m = mean |c|: dL_dc = (dL_dy - c/|c| mean Re(conj(dL_dy) y)) / m
  const auto c = crop(pass.input);
  const auto m = mean_amplitude(c);
  const auto along = at::real(dL_dy.conj() * pass.output).mean(1, true);
  const auto dL_dc = (dL_dy - at::sgn(c) * along) / m;
  // The adjoint of crop, shift and transform: dark border, shift back, inverse transform without its 1 / (h
  // w).
  const int64_t height = pass.input.size(2), width = pass.input.size(3), window = options.window();
  auto spectrum = at::zeros({c.size(0), 1, height, width}, c.options());
  spectrum.narrow(2, height / 2 - window / 2, window)
      .narrow(3, width / 2 - window / 2, window)
      .copy_(dL_dc.reshape({-1, 1, window, window}));
  return at::real(at::fft_ifft2(at::fft_ifftshift(spectrum, {{2, 3}}))) * static_cast<double>(height * width);
}

namespace {

const RegisteredPart fourier_lens_type(part_type<FourierLensImpl>("FourierLens", FourierLensOptions(1), 1));

}  // namespace
}  // namespace optotorch
