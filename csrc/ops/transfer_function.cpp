#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/transfer_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace optotorch::ops {
namespace {

constexpr double pi = std::numbers::pi;
constexpr int64_t most_samples = 1 << 14;
const auto real = at::TensorOptions().dtype(at::kDouble);

at::Tensor turned(const at::Tensor& phase) {
  return at::polar(at::ones_like(phase), phase);
}

/// Of one axis.
struct Axis {
  int64_t input, output, grid;
  double shift;  ///< of lag 0, in samples

  /// Lags that windows of these sizes see.
  int64_t lags() const { return input + output - 1; }
};

double length_in(const HopGeometry& hop) {
  return hop.wavelength / hop.refractive_index;
}

/// True where the grid carries a linear convolution and nothing else.
bool is_cropped(const HopGeometry& hop) {
  return hop.sampling == Sampling::cropped || hop.propagation == Propagation::rayleigh_sommerfeld;
}

Axis axis_of(const HopGeometry& hop, size_t n) {
  Axis axis{hop.input[n], hop.output[n], 0, 0};
  axis.shift = static_cast<double>(axis.input - axis.output) / 2 + hop.offset[n] / hop.spacing;
  const int64_t wished = hop.padding * std::max(axis.input, axis.output);
  if (is_cropped(hop)) {
    axis.grid = transform_size(axis.lags());
  } else {
    axis.grid = hop.padding == 1 ? wished : transform_size(wished);
  }
  return axis;
}

/// Points of the grid on which a kernel is made before it is cropped: 32 times what the distance needs, within 8 to
/// 18 windows. At 4 z_c the kernel's alias is 3e-3 of it.
int64_t fine_grid(const HopGeometry& hop, const Axis& axis) {
  const auto window = static_cast<double>(std::max(axis.input, axis.output)) + std::abs(axis.shift);
  const double needed = 32 * length_in(hop) * hop.distance / (hop.spacing * hop.spacing);
  return transform_size(static_cast<int64_t>(std::ceil(std::clamp(needed, 8 * window, 18 * window))));
}

at::Tensor frequencies(int64_t grid, double spacing) {
  return at::fft_fftfreq(grid, spacing, real);
}

/// exp(2 pi i f shift) of every frequency: the impulse response, shifted.
at::Tensor ramp(const at::Tensor& f, const HopGeometry& hop, const Axis& axis) {
  return turned(f * (2 * pi * axis.shift * hop.spacing));
}

/// H at frequencies f_y [n, 1], f_x [m].
at::Tensor sampled(const HopGeometry& hop, const at::Tensor& fy, const at::Tensor& fx) {
  const double length = length_in(hop), kz = 2 * pi / length * hop.distance;
  const auto s = (fy.square() + fx.square()) * (length * length);
  if (hop.propagation == Propagation::fresnel) {
    return turned(s * (-kz / 2));
  }
  const auto phase = s / (1 + (1 - s).clamp_min(0).sqrt()) * -kz;
  if (!hop.samples_evanescent_waves()) {
    return turned(phase);
  }
  const auto decay = ((s - 1).clamp_min(0).sqrt() * -kz).exp();
  return at::polar(decay, at::where(s <= 1, phase, at::full_like(s, -std::remainder(kz, 2 * pi))));
}

/// From an impulse response along `dim`, lag l at l modulo its size, to the same on the grid of the transform.
at::Tensor cropped(const at::Tensor& response, const Axis& axis, int64_t dim) {
  const int64_t behind = axis.input - 1;
  const auto gap_shape = [&] {
    auto shape = response.sizes().vec();
    shape[static_cast<size_t>(dim)] = axis.grid - axis.lags();
    return shape;
  }();
  return at::cat({response.narrow(dim, 0, axis.output), at::zeros(gap_shape, response.options()),
                  response.narrow(dim, response.size(dim) - behind, behind)},
                 dim);
}

at::Tensor cropped_transfer(const HopGeometry& hop, const Axis& y, const Axis& x) {
  // Rows by rows, so that the fine grid never stands in memory as a whole.
  constexpr int64_t together = 64;
  const int64_t height = fine_grid(hop, y), width = fine_grid(hop, x);
  const auto fy = frequencies(height, hop.spacing), fx = frequencies(width, hop.spacing);
  const auto ramp_y = ramp(fy, hop, y), ramp_x = ramp(fx, hop, x);
  std::vector<at::Tensor> rows;
  for (int64_t first = 0; first < height; first += together) {
    const int64_t count = std::min(together, height - first);
    const auto h = sampled(hop, fy.narrow(0, first, count).unsqueeze(1), fx) * ramp_x;
    rows.push_back(cropped(at::fft_ifft(h, std::nullopt, 1), x, 1));
  }
  const auto response = at::fft_ifft(at::cat(rows, 0) * ramp_y.unsqueeze(1), std::nullopt, 0);
  return at::fft_fft2(cropped(response, y, 0));
}

/// r-dependent samples of the Rayleigh-Sommerfeld integral, transformed.
at::Tensor rayleigh_sommerfeld(const HopGeometry& hop, const Axis& y, const Axis& x) {
  const double z = hop.distance, k = 2 * pi / length_in(hop), area = hop.spacing * hop.spacing;
  const auto places = [&](const Axis& axis) {
    const auto lags = at::arange(-(axis.input - 1), axis.output, real);
    return (lags + axis.shift) * hop.spacing;
  };
  const auto rho = places(y).square().unsqueeze(1) + places(x).square();
  const auto r = (rho + z * z).sqrt();
  // r - z without the loss of digits.
  const auto response = at::complex(1 / r, at::full_like(r, -k)) * turned(rho / (r + z) * k) *
                        (z * area / (2 * pi) / r.square());
  // Lag 0 first, negative lags last.
  const auto rolled = at::roll(response, {-(y.input - 1), -(x.input - 1)}, {0, 1});
  return at::fft_fft2(cropped(cropped(rolled, y, 0), x, 1));
}

at::Tensor sampled_transfer(const HopGeometry& hop, const Axis& y, const Axis& x) {
  const auto fy = frequencies(y.grid, hop.spacing), fx = frequencies(x.grid, hop.spacing);
  auto h = sampled(hop, fy.unsqueeze(1), fx) * ramp(fy, hop, y).unsqueeze(1) * ramp(fx, hop, x);
  if (hop.sampling == Sampling::band_limited) {
    const auto inside = [&](const at::Tensor& f) {
      const double step = 1 / (static_cast<double>(f.numel()) * hop.spacing);
      return f.abs() <= 1 / (length_in(hop) * std::sqrt(std::pow(2 * hop.distance * step, 2) + 1));
    };
    h = h * at::logical_and(inside(fy).unsqueeze(1), inside(fx));
  }
  return h;
}

bool is_length(double value) {
  return value > 0 && std::isfinite(value);
}

}  // namespace

const std::vector<std::string>& words(Propagation) {
  static const std::vector<std::string> all = {"angular_spectrum", "fresnel", "rayleigh_sommerfeld"};
  return all;
}

const std::vector<std::string>& words(Sampling) {
  static const std::vector<std::string> all = {"cropped", "plain", "band_limited"};
  return all;
}

void HopGeometry::check(const std::string& where) const {
  const auto length = [&](const char* name, double value, bool may_be_zero) {
    OPTOTORCH_CHECK(is_length(value) || (may_be_zero && value == 0), .where = where, .argument = name,
                    .expected = may_be_zero ? "metres, 0 or more" : "metres, more than 0",
                    .got = c10::str(value));
  };
  length("wavelength", wavelength, false);
  length("spacing", spacing, false);
  length("distance", distance, propagation != Propagation::rayleigh_sommerfeld);
  OPTOTORCH_CHECK(refractive_index >= 1 && std::isfinite(refractive_index), .where = where,
                  .argument = "refractive_index", .expected = "1 or more", .got = c10::str(refractive_index));
  OPTOTORCH_CHECK(padding >= 1 && padding <= 64, .where = where, .argument = "padding", .expected = "1 to 64",
                  .got = c10::str(padding));
  for (const auto n : c10::irange(2)) {
    OPTOTORCH_CHECK(input[n] >= 1 && input[n] <= most_samples && output[n] >= 1 && output[n] <= most_samples,
                    .where = where, .argument = "window",
                    .expected = c10::str("1 to ", most_samples, " samples a side"),
                    .got = c10::str(input[0], " x ", input[1], " to ", output[0], " x ", output[1]));
    OPTOTORCH_CHECK(std::isfinite(offset[n]), .where = where, .argument = "offset",
                    .expected = "finite metres", .got = c10::str(offset[0], ", ", offset[1]));
  }
}

int64_t transform_size(int64_t n) {
  for (;; ++n) {
    int64_t rest = n;
    for (const int64_t factor : {2, 3, 5}) {
      while (rest % factor == 0) {
        rest /= factor;
      }
    }
    if (rest == 1 && (n < 8 || n % 4 == 0)) {
      return n;
    }
  }
}

at::Tensor transfer_function(const HopGeometry& hop) {
  hop.check("transfer_function");
  const auto y = axis_of(hop, 0), x = axis_of(hop, 1);
  if (hop.propagation == Propagation::rayleigh_sommerfeld) {
    return rayleigh_sommerfeld(hop, y, x);
  }
  if (hop.sampling != Sampling::cropped) {
    return sampled_transfer(hop, y, x);
  }
  if (hop.propagation == Propagation::fresnel) {
    const auto factors = separable_transfer(hop).factor;
    return factors[0].unsqueeze(1) * factors[1];
  }
  return cropped_transfer(hop, y, x);
}

SeparableTransfer separable_transfer(const HopGeometry& hop) {
  hop.check("separable_transfer");
  SeparableTransfer result;
  for (const auto n : c10::irange(2)) {
    auto cropped_hop = hop;
    cropped_hop.sampling = Sampling::cropped;
    const auto axis = axis_of(cropped_hop, n);
    const auto f = frequencies(fine_grid(hop, axis), hop.spacing);
    const auto rate = f.square() * (-pi * length_in(hop));
    const auto h = turned(rate * hop.distance) * ramp(f, hop, axis);
    const auto transfer = [&](const at::Tensor& spectrum) {
      return at::fft_fft(cropped(at::fft_ifft(spectrum), axis, 0));
    };
    const auto imaginary = [](const at::Tensor& value) { return at::complex(at::zeros_like(value), value); };
    result.factor[n] = transfer(h);
    result.by_distance[n] = transfer(h * imaginary(rate));
    result.by_offset[n] = transfer(h * imaginary(f * (2 * pi)));
  }
  return result;
}

std::array<at::Tensor, 2> hop_matrices(const HopGeometry& hop) {
  const auto transfer = separable_transfer(hop);
  std::array<at::Tensor, 2> matrices;
  for (const auto n : c10::irange(2)) {
    const auto response = at::fft_ifft(transfer.factor[n]);
    const auto lag = at::arange(hop.output[n]).unsqueeze(1) - at::arange(hop.input[n]);
    const auto matrix = response.index({lag.remainder(response.numel())});
    // Between grids that are half a sample apart the kernel is not even: its highest frequency turns one way.
    const bool is_even = hop.offset[n] == 0 && (hop.input[n] - hop.output[n]) % 2 == 0;
    matrices[n] = is_even ? (matrix + matrix.flip({0, 1})) / 2 : matrix;
  }
  return matrices;
}

namespace {

void check_places(const char* where, const char* name, const at::Tensor& places) {
  OPTOTORCH_CHECK(places.defined() && places.scalar_type() == at::kDouble && places.dim() == 1 &&
                      places.numel() >= 1 && places.numel() <= most_samples,
                  .where = where, .argument = name,
                  .expected = c10::str("float64 [1 to ", most_samples, "], metres"), .got = describe(places));
  check_finite(where, name, places);
}

void check_matrix(const char* where, const at::Tensor& outputs, const at::Tensor& inputs, double spacing,
                  const at::Tensor& distance, double wavelength, double least_distance) {
  check_places(where, "outputs", outputs);
  check_places(where, "inputs", inputs);
  OPTOTORCH_CHECK(is_length(spacing), .where = where, .argument = "spacing",
                  .expected = "metres, more than 0", .got = c10::str(spacing));
  OPTOTORCH_CHECK(is_length(wavelength), .where = where, .argument = "wavelength",
                  .expected = "metres, more than 0", .got = c10::str(wavelength));
  OPTOTORCH_CHECK(distance.defined() && distance.scalar_type() == at::kDouble && distance.numel() == 1,
                  .where = where, .argument = "distance", .expected = "one float64 number, metres",
                  .got = describe(distance));
  const double z = distance.item<double>();
  OPTOTORCH_CHECK(z >= least_distance && std::isfinite(z), .where = where, .argument = "distance",
                  .expected = least_distance > 0 ? "metres, more than 0" : "metres, 0 or more",
                  .got = c10::str(z));
}

}  // namespace

at::Tensor paraxial_matrix(const at::Tensor& outputs, const at::Tensor& inputs, double spacing,
                           const at::Tensor& distance, double wavelength) {
  constexpr double most_points = 1 << 20;
  check_matrix("paraxial_matrix", outputs, inputs, spacing, distance, wavelength, 0);
  const auto far = [](const at::Tensor& places) { return places.detach().abs().max().item<double>(); };
  // The kernel repeats itself after as many spacings as there are frequencies.
  const double reach = 4 * (far(outputs) + far(inputs)) / spacing;
  const double spread = 8 * wavelength * distance.item<double>() / spacing / spacing;
  const double points = std::max({reach, std::min(spread, 16.0 * static_cast<double>(inputs.numel())), 64.0});
  OPTOTORCH_CHECK(points <= most_points, .where = "paraxial_matrix", .argument = "outputs",
                  .expected = c10::str("places within ", most_points / 4, " spacings"),
                  .got = c10::str(reach / 4, " spacings"));
  const auto f = frequencies(transform_size(static_cast<int64_t>(std::ceil(points))), spacing);
  const auto h = turned(f.square() * (-pi * wavelength) * distance);
  const auto waves = [&](const at::Tensor& places) { return turned(places.unsqueeze(1) * f * (2 * pi)); };
  return at::mm(waves(outputs) * h, waves(inputs).conj().t()) / static_cast<double>(f.numel());
}

at::Tensor fraunhofer_matrix(const at::Tensor& outputs, const at::Tensor& inputs, double spacing,
                             const at::Tensor& distance, double wavelength) {
  check_matrix("fraunhofer_matrix", outputs, inputs, spacing, distance, wavelength,
               std::numeric_limits<double>::min());
  const auto phase = at::outer(outputs, inputs) * (-2 * pi / wavelength) / distance - pi / 4;
  return turned(phase) * (spacing / (wavelength * distance).sqrt());
}

}  // namespace optotorch::ops
