#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/filter_coefficients.h>

#include <cmath>
#include <numbers>

namespace optotorch::ops {
namespace {

at::Tensor complex_of(const at::Tensor& real) {
  return at::complex(real, at::zeros_like(real));
}

/// r of a pole and dr/dB.
struct Radius {
  at::Tensor value, slope;
};

Radius lorentzian_radius(const at::Tensor& width) {
  const auto r = (width * -std::numbers::pi).exp();
  return {r, r * -std::numbers::pi};
}

/// |1 - r e^{i h}|^2 = 2 (1 - r)^2 at h = pi B m has the root r = c - sqrt(c^2 - 1), c = 2 - cos h.
Radius ring_radius(const at::Tensor& width, int64_t delay, double round_trip) {
  const auto m = static_cast<double>(delay);
  const auto half = (width * (std::numbers::pi * m)).clamp_max(std::numbers::pi);
  const auto c = 2 - half.cos();
  const auto root = (c * c - 1).sqrt();
  const auto r = c - root;
  const auto slope = half.sin() * (-std::numbers::pi * m) * r / root;
  return {r.clamp_max(round_trip), at::where(r < round_trip, slope, at::zeros_like(slope))};
}

}  // namespace

const std::vector<std::string>& words(FilterKind) {
  static const std::vector<std::string> all{"lorentzian", "ring", "interferometer"};
  return all;
}

FilterCoefficients filter_coefficients(FilterKind kind, const at::Tensor& frequency, const at::Tensor& width,
                                       int64_t delay, double round_trip) {
  OPTOTORCH_CHECK(frequency.defined() && width.defined() && frequency.scalar_type() == at::kDouble &&
                      width.scalar_type() == at::kDouble && frequency.dim() == 1 &&
                      frequency.sizes() == width.sizes(),
                  .where = "filter_coefficients", .argument = "frequency, width",
                  .expected = "float64 [filters], both", .got = describe(frequency) + ", " + describe(width));
  OPTOTORCH_CHECK(width.gt(0).all().item<bool>(), .where = "filter_coefficients", .argument = "width",
                  .expected = "positive values", .got = c10::str("one of ", width.min().item<double>()));
  OPTOTORCH_CHECK(delay >= 1 && (kind != FilterKind::lorentzian || delay == 1),
                  .where = "filter_coefficients", .argument = "delay",
                  .expected = "1 sample of a lorentzian, at least 1 of others", .got = std::to_string(delay));
  OPTOTORCH_CHECK(round_trip > 0 && round_trip <= 1, .where = "filter_coefficients", .argument = "round_trip",
                  .expected = "an amplitude above 0, up to 1", .got = c10::str(round_trip));
  const double turn = 2 * std::numbers::pi * static_cast<double>(delay);
  const auto phase = at::polar(at::ones_like(frequency), frequency * turn);
  const auto i_turn = c10::complex<double>(0, turn);
  const auto none = at::zeros_like(phase);
  if (kind == FilterKind::interferometer) {
    const auto half = at::full_like(phase, 0.5);
    return {at::stack({half, half * phase, none}, 1), at::stack({none, half * phase * i_turn, none}, 1),
            at::stack({none, none, none}, 1)};
  }
  const auto r = kind == FilterKind::ring ? ring_radius(width, delay, round_trip) : lorentzian_radius(width);
  const double passed = kind == FilterKind::ring ? std::sqrt(round_trip) : 1;
  const double lost = kind == FilterKind::ring ? round_trip : 1;
  const auto pole = r.value * phase;
  return {at::stack({complex_of((1 - r.value / lost) * passed), none, pole}, 1),
          at::stack({none, none, pole * i_turn}, 1),
          at::stack({complex_of(r.slope * (-passed / lost)), none, r.slope * phase}, 1)};
}

}  // namespace optotorch::ops
