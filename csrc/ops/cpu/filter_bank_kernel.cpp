#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/cpu/filter_bank_kernels.h>
#include <optotorch/ops/filter_bank.h>
#include <torch/library.h>

#include <algorithm>

namespace optotorch::ops {
namespace {

/// A bank's arguments as rows in memory.
struct FilterArguments {
  FilterArguments(const at::Tensor& waveform_, const at::Tensor& coefficients_,
                  const FilterBankLayout& layout_)
      : waveform(waveform_.resolve_conj().resolve_neg().contiguous()),
        coefficients(coefficients_.resolve_conj().resolve_neg().contiguous()),
        layout(layout_) {}

  int64_t tiles() const { return (waveform.size(0) + filter_tile - 1) / filter_tile; }

  template <typename T>
  FilterTile<T> tile(int64_t number) const {
    const int64_t first = number * filter_tile;
    return {.layout = layout,
            .filters = coefficients.size(0),
            .windows = waveform.size(1) / layout.window,
            .coefficients = static_cast<const T*>(coefficients.const_data_ptr()),
            .waveforms = static_cast<const T*>(waveform.const_data_ptr()) + 2 * first * waveform.size(1),
            .count = std::min(filter_tile, waveform.size(0) - first),
            .pitch = waveform.size(1)};
  }

  at::Tensor waveform, coefficients;
  FilterBankLayout layout;
};

at::Tensor filter_bank_cpu(const at::Tensor& waveform, const at::Tensor& coefficients, int64_t order,
                           int64_t delay, int64_t window, double memory) {
  const FilterBankLayout layout{order, delay, window, memory};
  check_filter_bank(waveform, coefficients, layout);
  const FilterArguments arguments(waveform, coefficients, layout);
  auto y = at::empty({waveform.size(0), coefficients.size(0), waveform.size(1) / window},
                     waveform.options().dtype(c10::toRealValueType(waveform.scalar_type())));
  AT_DISPATCH_COMPLEX_TYPES(waveform.scalar_type(), "filter_bank", [&] {
    using T = typename scalar_t::value_type;
    auto* const out = y.mutable_data_ptr<T>();
    at::parallel_for(0, arguments.tiles(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        filter_forward(arguments.tile<T>(n), out + n * filter_tile * y.size(1) * y.size(2));
      }
    });
  });
  return y;
}

std::tuple<at::Tensor, at::Tensor> filter_bank_backward_cpu(const at::Tensor& dL_dy,
                                                            const at::Tensor& waveform,
                                                            const at::Tensor& coefficients, int64_t order,
                                                            int64_t delay, int64_t window, double memory,
                                                            bool to_waveform, bool to_coefficients) {
  const FilterBankLayout layout{order, delay, window, memory};
  check_filter_bank_backward(dL_dy, waveform, coefficients, layout);
  const FilterArguments arguments(waveform, coefficients, layout);
  const auto signal = dL_dy.resolve_neg().contiguous();
  auto dL_dx = at::zeros(to_waveform ? waveform.sizes() : at::IntArrayRef({0}), waveform.options());
  // Tiles are summed in their order, whichever thread had them.
  auto sums =
      at::zeros({to_coefficients ? arguments.tiles() : 0, coefficients.size(0), 3}, at::kComplexDouble);
  AT_DISPATCH_COMPLEX_TYPES(waveform.scalar_type(), "filter_bank_backward", [&] {
    using T = typename scalar_t::value_type;
    const auto* const from = signal.const_data_ptr<T>();
    auto* const to = to_waveform ? static_cast<T*>(dL_dx.mutable_data_ptr()) : nullptr;
    auto* const of_tiles = to_coefficients ? static_cast<double*>(sums.mutable_data_ptr()) : nullptr;
    at::parallel_for(
        0, to_waveform || to_coefficients ? arguments.tiles() : 0, 1, [&](int64_t begin, int64_t end) {
          for (int64_t n = begin; n < end; ++n) {
            filter_backward(arguments.tile<T>(n), from + n * filter_tile * signal.size(1) * signal.size(2),
                            to == nullptr ? nullptr : to + 2 * n * filter_tile * waveform.size(1),
                            of_tiles == nullptr ? nullptr : of_tiles + n * coefficients.numel() * 2);
          }
        });
  });
  auto dL_dcoefficients = at::empty({0}, coefficients.options());
  if (to_coefficients) {
    auto sum = at::zeros({coefficients.size(0), 3}, at::kComplexDouble);
    for (int64_t n = 0; n < sums.size(0); ++n) {
      sum.add_(sums[n]);
    }
    dL_dcoefficients = sum.to(coefficients.scalar_type());
  }
  return {dL_dx, dL_dcoefficients};
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("filter_bank", filter_bank_cpu);
  library.impl("filter_bank_backward", filter_bank_backward_cpu);
}

}  // namespace
}  // namespace optotorch::ops
