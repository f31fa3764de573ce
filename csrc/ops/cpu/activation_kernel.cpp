// One pass over the field for each nonlinearity and one for its pull-back; both are written once, for any
// gain G.

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/activation.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace optotorch::ops {
namespace {

constexpr int64_t activation_grain = 1 << 13;

/// A gain and its derivative with respect to intensity.
template <typename scalar_t>
struct Gain {
  scalar_t value, slope;
};

/// y = G z, for a functor that gives Gain<scalar_t> from an intensity.
template <typename Functor>
at::Tensor apply_gain(const at::Tensor& field, const Functor& functor) {
  const auto z = field.resolve_conj().contiguous();
  auto y = at::empty_like(z);
  AT_DISPATCH_COMPLEX_TYPES(z.scalar_type(), "apply_gain", [&] {
    const auto* in = z.const_data_ptr<scalar_t>();
    auto* out = y.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, z.numel(), activation_grain, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        out[n] = functor.template operator()<scalar_t>(std::norm(in[n])).value * in[n];
      }
    });
  });
  return y;
}

/// dL_dz = conj(G) g + 2 z Re(conj(g) z G').
template <typename Functor>
at::Tensor pull_gain(const at::Tensor& dL_dy, const at::Tensor& field, const Functor& functor) {
  const auto z = field.resolve_conj().contiguous();
  const auto g = dL_dy.resolve_conj().contiguous();
  auto dL_dz = at::empty_like(z);
  AT_DISPATCH_COMPLEX_TYPES(z.scalar_type(), "pull_gain", [&] {
    using real_t = typename scalar_t::value_type;
    const auto* in = z.const_data_ptr<scalar_t>();
    const auto* signal = g.const_data_ptr<scalar_t>();
    auto* out = dL_dz.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, z.numel(), activation_grain, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const auto gain = functor.template operator()<scalar_t>(std::norm(in[n]));
        const real_t along = (std::conj(signal[n]) * in[n] * gain.slope).real();
        out[n] = std::conj(gain.value) * signal[n] + in[n] * (2 * along);
      }
    });
  });
  return dL_dz;
}

auto electro_optic_gain(double tap, double gain, double bias) {
  return [=]<typename scalar_t, typename real_t>(real_t intensity) {
    const real_t through = std::sqrt(real_t(1 - tap));
    const real_t angle = static_cast<real_t>(gain) * intensity + static_cast<real_t>(bias);
    const scalar_t turn(std::cos(angle), -std::sin(angle));  // e^{-2ip}; cos(p) e^{-ip} = (1 + e^{-2ip}) / 2
    return Gain<scalar_t>{through / 2 * (scalar_t(1) + turn),
                          scalar_t(0, -through * static_cast<real_t>(gain) / 2) * turn};
  };
}

auto saturable_absorber_gain(double depth, double saturation) {
  return [=]<typename scalar_t, typename real_t>(real_t intensity) {
    const real_t bleached = 1 / (1 + intensity / static_cast<real_t>(saturation));
    const real_t half = static_cast<real_t>(depth / 2);
    const real_t value = std::exp(-half * bleached);
    return Gain<scalar_t>{value, value * half * bleached * bleached / static_cast<real_t>(saturation)};
  };
}

/// |z|, also where |z|^2 is too small for its type.
template <typename scalar_t>
auto magnitude_of(scalar_t z) {
  using real_t = typename scalar_t::value_type;
  constexpr real_t safe = std::numeric_limits<real_t>::min() / std::numeric_limits<real_t>::epsilon();
  const real_t intensity = std::norm(z);
  return intensity > safe ? std::sqrt(intensity) : std::hypot(z.real(), z.imag());
}

/// Does light of that magnitude pass modReLU? What is smaller than any normal number is dark.
template <typename real_t>
bool passes(real_t magnitude, real_t bias) {
  return magnitude >= std::numeric_limits<real_t>::min() && magnitude + bias > 0;
}

at::Tensor electro_optic_cpu(const at::Tensor& field, double tap, double gain, double bias) {
  check_electro_optic("electro_optic", field, tap, gain, bias);
  return apply_gain(field, electro_optic_gain(tap, gain, bias));
}

at::Tensor electro_optic_backward_cpu(const at::Tensor& dL_dy, const at::Tensor& field, double tap,
                                      double gain, double bias) {
  check_electro_optic_backward(dL_dy, field, tap, gain, bias);
  return pull_gain(dL_dy, field, electro_optic_gain(tap, gain, bias));
}

at::Tensor saturable_absorber_cpu(const at::Tensor& field, double depth, double saturation) {
  check_saturable_absorber("saturable_absorber", field, depth, saturation);
  return apply_gain(field, saturable_absorber_gain(depth, saturation));
}

at::Tensor saturable_absorber_backward_cpu(const at::Tensor& dL_dy, const at::Tensor& field, double depth,
                                           double saturation) {
  check_saturable_absorber_backward(dL_dy, field, depth, saturation);
  return pull_gain(dL_dy, field, saturable_absorber_gain(depth, saturation));
}

at::Tensor mod_relu_cpu(const at::Tensor& field, const at::Tensor& bias) {
  check_mod_relu("mod_relu", field, bias);
  const auto z = field.resolve_conj().contiguous(), b = bias.contiguous();
  auto y = at::empty_like(z);
  AT_DISPATCH_COMPLEX_TYPES(z.scalar_type(), "mod_relu", [&] {
    using real_t = typename scalar_t::value_type;
    const auto* in = z.const_data_ptr<scalar_t>();
    const auto* biases = b.const_data_ptr<real_t>();
    auto* out = y.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, z.numel(), activation_grain, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const real_t offset = biases[n % b.numel()], magnitude = magnitude_of(in[n]);
        out[n] = passes(magnitude, offset) ? (1 + offset / magnitude) * in[n] : scalar_t(0);
      }
    });
  });
  return y;
}

/// With u = z / |z|: dL_dz = g + b / |z| (g - u Re(conj(g) u)), dL_db = Re(conj(g) u), summed over samples.
std::tuple<at::Tensor, at::Tensor> mod_relu_backward_cpu(const at::Tensor& dL_dy, const at::Tensor& field,
                                                         const at::Tensor& bias) {
  check_mod_relu_backward(dL_dy, field, bias);
  const auto z = field.resolve_conj().contiguous(), g = dL_dy.resolve_conj().contiguous(),
             b = bias.contiguous();
  auto dL_dz = at::empty_like(z);
  const auto along = at::zeros({z.numel() / std::max<int64_t>(b.numel(), 1), b.numel()}, b.options());
  AT_DISPATCH_COMPLEX_TYPES(z.scalar_type(), "mod_relu_backward", [&] {
    using real_t = typename scalar_t::value_type;
    const auto* in = z.const_data_ptr<scalar_t>();
    const auto* signal = g.const_data_ptr<scalar_t>();
    const auto* biases = b.const_data_ptr<real_t>();
    auto* out = dL_dz.mutable_data_ptr<scalar_t>();
    auto* dL_db = along.mutable_data_ptr<real_t>();
    at::parallel_for(0, z.numel(), activation_grain, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const real_t offset = biases[n % b.numel()], magnitude = magnitude_of(in[n]);
        out[n] = 0;
        if (passes(magnitude, offset)) {
          const auto u = in[n] / magnitude;
          dL_db[n] = (std::conj(signal[n]) * u).real();
          out[n] = signal[n] + offset / magnitude * (signal[n] - u * dL_db[n]);
        }
      }
    });
  });
  return {dL_dz, along.sum(0)};
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("electro_optic", electro_optic_cpu);
  library.impl("electro_optic_backward", electro_optic_backward_cpu);
  library.impl("saturable_absorber", saturable_absorber_cpu);
  library.impl("saturable_absorber_backward", saturable_absorber_backward_cpu);
  library.impl("mod_relu", mod_relu_cpu);
  library.impl("mod_relu_backward", mod_relu_backward_cpu);
}

}  // namespace
}  // namespace optotorch::ops
