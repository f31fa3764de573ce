#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/deployed_check.h>
#include <optotorch/modules/optics/detail/or_one.h>
#include <optotorch/modules/optics/detail/pixels.h>
#include <optotorch/modules/optics/spatial_light_modulator.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

using Options = SpatialLightModulatorOptions;

/// Where an image stands on the pixels.
struct Placement {
  int64_t magnification, top, left, bottom, right;
};

/// Pixels of a value's side; 0 if the image does not fit.
int64_t magnification_of(const Options& o, int64_t height, int64_t width) {
  const int64_t room =
      std::min(o.pixels()[0] / std::max<int64_t>(height, 1), o.pixels()[1] / std::max<int64_t>(width, 1));
  return o.magnification() == 0 ? room : o.magnification() <= room ? o.magnification() : 0;
}

Placement place_of(const Options& o, int64_t height, int64_t width) {
  const int64_t m = magnification_of(o, height, width);
  const int64_t down = o.pixels()[0] - m * height, across = o.pixels()[1] - m * width;
  return {m, down / 2, across / 2, down - down / 2, across - across / 2};
}

/// p of every value, with what its curve adds.
torch::Tensor phase_of(const Options& o, const torch::Tensor& value) {
  const auto p = value * o.phase_range();
  return p + o.curve()[0] * p.sin() + o.curve()[1] * (2 * p).sin();
}

torch::Tensor amplitude_of(const Options& o, const torch::Tensor& value) {
  return 1 - o.coupling() * (1 - (value * o.phase_range()).cos()) / 2;
}

torch::Tensor nearest_level(const Options& o, const torch::Tensor& x) {
  const auto steps = static_cast<double>(o.levels() - 1);
  return o.levels() == 0 ? x : (x.clamp(0, 1) * steps).round() / steps;
}

/// Light of the values, one by one.
torch::Tensor encode(const Options& o, const torch::Tensor& x) {
  const auto value = nearest_level(o, x);
  if (o.encoding() == Encoding::amplitude) {
    return at::complex(value, at::zeros_like(value));
  }
  const auto phase = phase_of(o, value), amplitude = amplitude_of(o, value);
  return at::complex(amplitude * phase.cos(), amplitude * phase.sin());
}

/// On the pixels, in the middle.
torch::Tensor show(const Options& o, const torch::Tensor& light, const Placement& place) {
  const auto large = sampled_pixels(light, place.magnification, 1);
  const auto all = at::constant_pad_nd(large, {place.left, place.right, place.top, place.bottom});
  return sampled_pixels(all, o.oversampling(), o.fill_factor());
}

torch::Tensor power_of(const torch::Tensor& field) {
  return at::view_as_real(field).square().sum({1, 2, 3, 4}).view({-1, 1, 1, 1});
}

torch::Tensor display(const Options& o, const torch::Tensor& x, const Placement& place) {
  const auto field = show(o, encode(o, x), place);
  return o.unit_power() ? field / or_one(power_of(field)).sqrt() : field;
}

}  // namespace

SpatialLightModulatorImpl::SpatialLightModulatorImpl(SpatialLightModulatorOptions options_)
    : CloneableLayer("SpatialLightModulator"), options(std::move(options_)) {
  const auto& o = options;
  check_window(name(), "pixels", o.pixels());
  OPTOTORCH_CHECK(o.encoding() != Encoding::complex, .where = name(), .argument = "encoding",
                  .expected = "amplitude or phase", .got = "complex");
  OPTOTORCH_CHECK(o.magnification() >= 0, .where = name(), .argument = "magnification",
                  .expected = "0 (as large as fits) or more", .got = std::to_string(o.magnification()));
  OPTOTORCH_CHECK(o.levels() == 0 || (o.levels() >= 2 && o.levels() <= 65536), .where = name(),
                  .argument = "levels", .expected = "0 (any value) or 2 to 65536",
                  .got = std::to_string(o.levels()));
  OPTOTORCH_CHECK(std::isfinite(o.phase_range()), .where = name(), .argument = "phase_range",
                  .expected = "finite radians", .got = c10::str(o.phase_range()));
  OPTOTORCH_CHECK(o.curve().size() == 2 && std::isfinite(o.curve()[0]) && std::isfinite(o.curve()[1]),
                  .where = name(), .argument = "curve", .expected = "two finite numbers",
                  .got = c10::str("[", c10::Join(", ", o.curve()), "]"));
  OPTOTORCH_CHECK(o.coupling() >= 0 && o.coupling() <= 1, .where = name(), .argument = "coupling",
                  .expected = "0 to 1", .got = c10::str(o.coupling()));
  check_sampling(name(), o.oversampling(), o.fill_factor());
}

void SpatialLightModulatorImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() == 4 && x.size(2) >= 1 && x.size(3) >= 1 &&
          magnification_of(options, x.size(2), x.size(3)) >= 1,
      .where = name(), .argument = "input",
      .expected = c10::str("real images [batch, planes, height, width] that fit on ", options.pixels()[0],
                           " x ", options.pixels()[1], " pixels, ",
                           std::max<int64_t>(1, options.magnification()), " or more a value's side"),
      .got = describe(x));
}

torch::Tensor SpatialLightModulatorImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  return display(options, x, place_of(options, x.size(2), x.size(3)));
}

torch::Tensor SpatialLightModulatorImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                          bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto& x = pass.input;
  const auto place = place_of(options, x.size(2), x.size(3));
  auto g = dL_dy;
  if (options.unit_power()) {
    // y = f / n, n = |f|: dL_df = (g - y Re sum conj(g) y) / n
    const auto size = or_one(power_of(show(options, encode(options, x), place))).sqrt();
    const auto along = at::real(dL_dy.conj() * pass.output).sum({1, 2, 3}, /*keepdim=*/true);
    g = (dL_dy - pass.output * along) / size;
  }
  g = summed_samples(g, options.oversampling(), options.fill_factor());
  g = g.narrow(2, place.top, place.magnification * x.size(2))
          .narrow(3, place.left, place.magnification * x.size(3));
  g = summed_samples(g, place.magnification, 1);
  if (options.encoding() == Encoding::amplitude) {
    return at::real(g).contiguous();
  }
  const auto value = nearest_level(options, x), p = value * options.phase_range();
  const auto phase = phase_of(options, value), amplitude = amplitude_of(options, value);
  const auto turned = g * at::complex(phase.cos(), -phase.sin());
  const auto slope = 1 + options.curve()[0] * p.cos() + 2 * options.curve()[1] * (2 * p).cos();
  const auto dL_dp =
      at::imag(turned) * amplitude * slope - at::real(turned) * (options.coupling() / 2) * p.sin();
  return dL_dp * options.phase_range();
}

Deployment SpatialLightModulatorImpl::deploy() {
  return {{}, [o = options, name = name()](const torch::Tensor& x) {
            // The place of the example's images is a part of the trace.
            const int64_t height = x.size(2), width = x.size(3);
            check_when_deployed(
                x,
                c10::str("input.dim() == 4 and input.size(2) == ", height, " and input.size(3) == ", width),
                name, c10::str("images of ", height, " x ", width));
            return display(o, x, place_of(o, height, width));
          }};
}

namespace {

const RegisteredPart spatial_light_modulator_type(
    part_type<SpatialLightModulatorImpl>("SpatialLightModulator", SpatialLightModulatorOptions({1, 1}), 1));

}  // namespace
}  // namespace optotorch
