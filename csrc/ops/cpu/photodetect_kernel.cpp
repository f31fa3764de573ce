#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <optotorch/core/random.h>
#include <optotorch/ops/photodetect.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

constexpr int64_t photodetect_grain = 1 << 14;

at::Tensor photodetect_cpu(const at::Tensor& field, double shot, double thermal, int64_t seed,
                           int64_t counter) {
  check_photodetect(field, shot, thermal);
  const auto z = field.resolve_conj().contiguous();
  auto intensity = at::empty(z.sizes(), z.options().dtype(c10::toRealValueType(z.scalar_type())));
  AT_DISPATCH_COMPLEX_TYPES(z.scalar_type(), "photodetect", [&] {
    using real_t = typename scalar_t::value_type;
    const auto* in = z.const_data_ptr<scalar_t>();
    auto* out = intensity.mutable_data_ptr<real_t>();
    at::parallel_for(0, z.numel(), photodetect_grain, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        out[n] = in[n].real() * in[n].real() + in[n].imag() * in[n].imag();
      }
      if (shot > 0 || thermal > 0) {
        for (int64_t n = begin; n < end; ++n) {
          const auto [xi_shot, xi_thermal] = normal_pair(seed, n, counter);
          out[n] += static_cast<real_t>(std::sqrt(shot * out[n]) * xi_shot + thermal * xi_thermal);
        }
      }
    });
  });
  return intensity;
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("photodetect", photodetect_cpu);
}

}  // namespace
}  // namespace optotorch::ops
