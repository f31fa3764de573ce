// One pass over the field for each nonlinearity and one for its pull-back; both are written once, for any
// gain G.

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/activation.h>
#include <torch/library.h>

#include <algorithm>

namespace optotorch::ops {
namespace {

constexpr int64_t grain = 1 << 13;

/// A gain and its derivative with respect to intensity.
template <typename scalar_t>
struct Gain {
  scalar_t value, slope;
};

/// y = G z, for a functor that gives Gain<scalar_t> from an intensity and an element's index.
template <typename Functor>
at::Tensor apply_gain(const at::Tensor& field, const Functor& functor) {
  const auto z = field.resolve_conj().contiguous();
  auto y = at::empty_like(z);
  AT_DISPATCH_COMPLEX_TYPES(z.scalar_type(), "apply_gain", [&] {
    const auto* in = z.const_data_ptr<scalar_t>();
    auto* out = y.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, z.numel(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        out[n] = functor(std::norm(in[n]), n, in).value * in[n];
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
    at::parallel_for(0, z.numel(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const auto gain = functor(std::norm(in[n]), n, in);
        const real_t along = (std::conj(signal[n]) * in[n] * gain.slope).real();
        out[n] = std::conj(gain.value) * signal[n] + in[n] * (2 * along);
      }
    });
  });
  return dL_dz;
}

auto electro_optic_gain(double tap, double gain, double bias) {
  return [=]<typename scalar_t, typename real_t>(real_t intensity, int64_t, const scalar_t*) {
    const real_t through = std::sqrt(real_t(1 - tap));
    const real_t angle = static_cast<real_t>(gain) * intensity + static_cast<real_t>(bias);
    const scalar_t turn(std::cos(angle), -std::sin(angle));  // e^{-2ip}; cos(p) e^{-ip} = (1 + e^{-2ip}) / 2
    return Gain<scalar_t>{through / 2 * (scalar_t(1) + turn),
                          scalar_t(0, -through * static_cast<real_t>(gain) / 2) * turn};
  };
}

auto saturable_absorber_gain(double depth, double saturation) {
  return [=]<typename scalar_t, typename real_t>(real_t intensity, int64_t, const scalar_t*) {
    const real_t bleached = 1 / (1 + intensity / static_cast<real_t>(saturation));
    const real_t half = static_cast<real_t>(depth / 2);
    const real_t value = std::exp(-half * bleached);
    return Gain<scalar_t>{value, value * half * bleached * bleached / static_cast<real_t>(saturation)};
  };
}

auto mod_relu_gain(const at::Tensor& bias) {
  return [biases = bias.const_data_ptr(), ports = bias.numel()]<typename scalar_t, typename real_t>(
             real_t intensity, int64_t n, const scalar_t*) {
    const real_t b = static_cast<const real_t*>(biases)[n % ports];
    const real_t magnitude = std::sqrt(intensity);
    if (magnitude <= 0 || magnitude + b <= 0) {
      return Gain<scalar_t>{0, 0};
    }
    return Gain<scalar_t>{1 + b / magnitude, -b / (2 * intensity * magnitude)};
  };
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
  const auto b = bias.contiguous();
  return apply_gain(field, mod_relu_gain(b));
}

std::tuple<at::Tensor, at::Tensor> mod_relu_backward_cpu(const at::Tensor& dL_dy, const at::Tensor& field,
                                                         const at::Tensor& bias) {
  check_mod_relu_backward(dL_dy, field, bias);
  const auto b = bias.contiguous();
  // dL_db = sum over samples of Re(conj(g) z) / |z| where the field passes.
  const auto magnitude = field.abs();
  const auto passes = (magnitude + b > 0).logical_and(magnitude > 0);
  const auto product = at::view_as_real(dL_dy.resolve_conj()) * at::view_as_real(field.resolve_conj());
  const auto along = product.sum(-1) / magnitude;
  const auto dL_db = at::where(passes, along, 0)
                         .reshape({field.numel() / std::max<int64_t>(b.numel(), 1), b.numel()})
                         .sum(0);
  return {pull_gain(dL_dy, field, mod_relu_gain(b)), dL_db};
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
