#include <ATen/ATen.h>
#include <optotorch/ops/filter_bank.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

/// Impulse response of one section, [filters, count]: h[0] = a, h[j m] = (b + a p) p^(j - 1), 0 between.
at::Tensor impulse_response(const at::Tensor& coefficients, int64_t count, int64_t delay) {
  const auto a = coefficients.narrow(1, 0, 1), b = coefficients.narrow(1, 1, 1),
             p = coefficients.narrow(1, 2, 1);
  const int64_t trips = (count - 1) / delay;
  if (trips == 0) {
    return at::constant_pad_nd(a, {0, count - 1});
  }
  auto powers = at::ones_like(a);
  if (trips > 1) {
    powers = at::cat({powers, p.expand({-1, trips - 1}).cumprod(1)}, 1);
  }
  const auto returned = at::constant_pad_nd(((b + a * p) * powers).unsqueeze(2), {delay - 1, 0}).flatten(1);
  return at::constant_pad_nd(at::cat({a, returned}, 1), {0, count - 1 - trips * delay});
}

/// Weights of every sample in every reading, [samples, windows].
at::Tensor readings_of(const FilterBankLayout& layout, int64_t windows, const at::Tensor& intensity) {
  const auto options = intensity.options();
  const int64_t count = windows * layout.window;
  const auto sample = at::arange(count, options.dtype(at::kDouble)).unsqueeze(1);
  const auto last =
      at::arange(1, windows + 1, options.dtype(at::kDouble)).mul(layout.window).sub(1).unsqueeze(0);
  const auto age = last - sample;
  const bool integrates = layout.memory == FilterBankLayout::integrate_and_dump;
  const auto weight =
      integrates ? at::full_like(age, 1.0 / static_cast<double>(layout.window)).mul(age < layout.window)
                 : at::pow(layout.memory, age.clamp_min(0)).mul(1 - layout.memory);
  return weight.mul(age >= 0).type_as(intensity);  // whose type an exported file finds anew
}

}  // namespace

at::Tensor filter_responses(const at::Tensor& coefficients, const FilterBankLayout& layout, int64_t count) {
  // No later sample reaches an earlier one: twice the length carries a convolution of whatever is cut to `count`.
  const auto once = impulse_response(coefficients, count, layout.delay);
  const auto section = at::fft_fft(once, 2 * count);
  auto all = section;
  for (int64_t more = 1; more < layout.order; ++more) {
    all = at::fft_fft(at::fft_ifft(all * section).narrow(1, 0, count), 2 * count);
  }
  return all;
}

at::Tensor filter_bank_reference(const at::Tensor& waveform, const at::Tensor& coefficients,
                                 const FilterBankLayout& layout) {
  check_filter_bank(waveform, coefficients, layout);
  const int64_t windows = waveform.size(1) / layout.window, count = windows * layout.window;
  const auto real = waveform.options().dtype(c10::toRealValueType(waveform.scalar_type()));
  if (waveform.size(0) == 0) {  // LibTorch's transform does not take an empty batch
    return at::zeros({0, coefficients.size(0), windows}, real);
  }
  const auto spectrum = at::fft_fft(waveform.narrow(1, 0, count).unsqueeze(1), 2 * count);
  const auto v = at::fft_ifft(spectrum * filter_responses(coefficients, layout, count)).narrow(2, 0, count);
  const auto intensity = at::real(v).square() + at::imag(v).square();
  return intensity.matmul(readings_of(layout, windows, intensity));
}

namespace {

at::Tensor filter_bank_composed(const at::Tensor& waveform, const at::Tensor& coefficients, int64_t order,
                                int64_t delay, int64_t window, double memory) {
  return filter_bank_reference(waveform, coefficients, {order, delay, window, memory}).contiguous();
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("filter_bank", filter_bank_composed);
}

}  // namespace
}  // namespace optotorch::ops
