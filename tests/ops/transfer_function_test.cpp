// Transfer functions against closed formulas of optics. Bounds are of the formulas, or of hard edges sampled at
// points, as the comments say.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/ops/free_space.h>
#include <optotorch/ops/transfer_function.h>
#include <support/differences.h>
#include <support/errors.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <complex>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

namespace optotorch {
namespace {

using ops::HopGeometry;
using ops::Propagation;
using ops::Sampling;
using testing::expect_close;
using testing::relative_distance;

constexpr double pi = std::numbers::pi, wavelength = 532e-9;
const auto real = at::TensorOptions().dtype(at::kDouble);

HopGeometry square(int64_t side, double spacing, double distance) {
  return {.wavelength = wavelength,
          .distance = distance,
          .spacing = spacing,
          .input = {side, side},
          .output = {side, side}};
}

HopGeometry with(HopGeometry hop, Propagation propagation, Sampling sampling, int64_t padding = 2) {
  hop.propagation = propagation;
  hop.sampling = sampling;
  hop.padding = padding;
  return hop;
}

at::Tensor send(const at::Tensor& field, const HopGeometry& hop) {
  const auto x = field.view({-1, 1, hop.input[0], hop.input[1]});
  return ops::free_space(x, ops::transfer_function(hop), hop.output[0], hop.output[1]);
}

at::Tensor turned(const at::Tensor& phase) {
  return at::polar(at::ones_like(phase), phase);
}

/// Places of the samples, metres from the middle.
at::Tensor places(int64_t side, double spacing) {
  return (at::arange(side, real) - static_cast<double>(side - 1) / 2) * spacing;
}

/// |a - b| / |b|.
double error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST(TransferFunctionTest, CroppedIsRightAtEveryDistance) {
  at::manual_seed(1);
  const int64_t side = 64;
  const double spacing = 17e-6, critical = 2 * side * spacing * spacing / wavelength;
  const auto x = at::randn({1, 1, side, side}, at::kComplexDouble);
  for (const double part : {0.0, 0.45, 1.0, 1.8, 4.0}) {
    const auto hop = square(side, spacing, part * critical);
    const auto wide = with(hop, Propagation::angular_spectrum, Sampling::plain, 24);
    const double off = error(send(x, hop), send(x, wide));
    EXPECT_LT(off, 5e-3) << part;
    // What is cropped has another kernel than what is not.
    if (part > 1) {
      EXPECT_GT(error(send(x, with(hop, Propagation::angular_spectrum, Sampling::plain)), send(x, wide)), 1);
      EXPECT_GT(
          error(send(x, with(hop, Propagation::angular_spectrum, Sampling::band_limited)), send(x, wide)),
          .1);
    }
  }
}

TEST(TransferFunctionTest, RayleighSommerfeldIsRightBeyondTheCriticalDistance) {
  at::manual_seed(2);
  const int64_t side = 64;
  const double spacing = 17e-6, critical = 2 * side * spacing * spacing / wavelength;
  const auto x = at::randn({1, 1, side, side}, at::kComplexDouble);
  const auto off = [&](double part) {
    const auto hop = square(side, spacing, part * critical);
    return error(send(x, with(hop, Propagation::rayleigh_sommerfeld, Sampling::cropped)), send(x, hop));
  };
  EXPECT_LT(off(4), .05);
  EXPECT_LT(off(4), off(1.8));
  EXPECT_GT(off(.45), .5);
}

/// A beam of waist w0 at z, without exp(ikz); paraxial.
at::Tensor gaussian(const at::Tensor& place, double waist, double z) {
  const auto rho = place.square().unsqueeze(1) + place.square();
  const std::complex<double> q(1, z * wavelength / (pi * waist * waist));
  const auto decay = rho / (waist * waist);
  const auto power = 1.0 / q;
  return turned(decay * -power.imag()) * (decay * -power.real()).exp() * c10::complex<double>(power);
}

TEST(TransferFunctionTest, GaussianBeam) {
  const auto place = places(256, 8e-6);
  const auto start = gaussian(place, 200e-6, 0);
  for (const double z : {.05, .2, .5}) {
    const auto expected = gaussian(place, 200e-6, z).view({1, 1, 256, 256});
    const auto hop = square(256, 8e-6, z);
    // The formula is paraxial itself.
    EXPECT_LT(error(send(start, with(hop, Propagation::angular_spectrum, Sampling::plain)), expected), 5e-7)
        << z;
    EXPECT_LT(error(send(start, with(hop, Propagation::fresnel, Sampling::plain)), expected), 1e-10) << z;
    EXPECT_LT(error(send(start, hop), expected), 1e-5) << z;
    EXPECT_LT(error(send(start, with(hop, Propagation::fresnel, Sampling::cropped)), expected), 1e-5) << z;
  }
  // The window of .5 m without padding: what leaves it comes back on the other side.
  const auto hop = with(square(256, 8e-6, .5), Propagation::angular_spectrum, Sampling::plain, 1);
  EXPECT_GT(error(send(start, hop), gaussian(place, 200e-6, .5).view({1, 1, 256, 256})), 1e-3);
}

TEST(TransferFunctionTest, TalbotImages) {
  const int64_t side = 128;
  const double spacing = 8e-6, period = 16 * spacing, talbot = 2 * period * period / wavelength;
  const auto grating = (1 + .5 * (places(side, spacing) * (2 * pi / period)).cos()).expand({side, side});
  const auto x = at::complex(grating, at::zeros_like(grating)).contiguous();
  const auto expected = x.view({1, 1, side, side});
  const auto fresnel = [&](double z) {
    return send(x, with(square(side, spacing, z), Propagation::fresnel, Sampling::plain, 1));
  };
  EXPECT_LT(error(fresnel(talbot), expected), 1e-13);
  EXPECT_LT(error(fresnel(talbot / 2), at::roll(expected, {8}, {3})), 1e-13);  // shifted by half a period
  EXPECT_LT(
      error(send(x, with(square(side, spacing, talbot), Propagation::angular_spectrum, Sampling::plain, 1))
                .abs(),
            expected.abs()),
      1e-4);
}

TEST(TransferFunctionTest, FocusOfALens) {
  const int64_t side = 256, fine = 8;
  const double aperture = 1e-3, focal = .2, spacing = 8e-6;
  // Pixels at the edge count by the part of them that is inside.
  const auto dense = places(side * fine, spacing / fine);
  const auto inside = ((dense.square().unsqueeze(1) + dense.square()).sqrt() <= aperture / 2).to(at::kDouble);
  const auto pupil = at::avg_pool2d(inside.view({1, 1, side * fine, side * fine}), fine).view({side, side});
  const auto place = places(side, spacing);
  const auto rho = place.square().unsqueeze(1) + place.square();
  const auto x = turned(rho * (-pi / (wavelength * focal))) * pupil;
  const auto r = rho.sqrt();
  const auto v = (r * (pi * aperture / (wavelength * focal))).clamp_min(1e-9);
  const auto airy = (2 * at::special_bessel_j1(v) / v).square();
  const auto near = r < 6 * wavelength * focal / aperture;
  const auto off = [&](const HopGeometry& hop) {
    const auto power = send(x, hop).abs().square().view({side, side});
    const auto scale = (power * airy).sum() / airy.square().sum();
    return ((power / scale - airy) * near).abs().max().item<double>();
  };
  const auto hop = square(side, spacing, focal);
  EXPECT_LT(off(with(hop, Propagation::angular_spectrum, Sampling::band_limited)), 5e-4);
  EXPECT_LT(off(hop), 1e-3);
  EXPECT_LT(off(with(hop, Propagation::fresnel, Sampling::cropped)), 1e-3);
}

TEST(TransferFunctionTest, FringesOfADoubleSlit) {
  const int64_t side = 512;
  const double spacing = 8e-6, apart = 1.024e-3 / 2, distance = .5;
  const auto place = places(side, spacing);
  const auto slits = ((place.abs() - apart / 2).abs() < 3 * spacing).to(at::kDouble);
  const auto hop = HopGeometry{.wavelength = wavelength,
                               .distance = distance,
                               .spacing = spacing,
                               .input = {1, side},
                               .output = {1, side}};
  // One row of samples is a slit as narrow as a sample: the fringes across it are the same.
  const auto power = send(at::complex(slits, at::zeros_like(slits)), hop).abs().square().view({side});
  const auto spectrum = at::fft_rfft(power - power.mean(), int64_t{1} << 16).abs();
  const int64_t from = 200;  // the envelope lies below
  const auto peak = spectrum.narrow(0, from, 4000).argmax().item<int64_t>() + from;
  const double found = spacing * (1 << 16) / static_cast<double>(peak);
  EXPECT_NEAR(found / (wavelength * distance / apart), 1, .02);
}

/// int_0^u exp(i pi t^2 / 2) dt by Simpson's rule.
std::complex<double> fresnel_integral(double u) {
  const int64_t steps = 4000;
  const double h = u / steps;
  std::complex<double> sum = 0;
  for (int64_t n = 0; n <= steps; ++n) {
    const double t = h * static_cast<double>(n), weight = n == 0 || n == steps ? 1 : n % 2 == 1 ? 4 : 2;
    sum += weight * std::polar(1.0, pi * t * t / 2);
  }
  return sum * (h / 3);
}

TEST(TransferFunctionTest, SquareAperture) {
  const int64_t side = 128, open = 64;
  const double spacing = 8e-6, half = open * spacing / 2,
               critical = 2 * side * spacing * spacing / wavelength;
  const auto place = places(side, spacing);
  const auto mask = (place.abs() < half).to(at::kDouble);
  const auto x = at::complex(at::outer(mask, mask), at::zeros({side, side}, real));
  const auto off = [&](double z, Propagation propagation) {
    const double scale = std::sqrt(2 / (wavelength * z));
    auto line = at::empty({side}, at::kComplexDouble);
    for (int64_t n = 0; n < side; ++n) {
      const double v = place[n].item<double>();
      line[n] =
          c10::complex<double>((fresnel_integral(scale * (half - v)) + fresnel_integral(scale * (half + v))) /
                               std::complex<double>(1, 1));
    }
    const auto expected = at::outer(line, line).view({1, 1, side, side});
    return error(send(x, with(square(side, spacing, z), propagation, Sampling::cropped)), expected);
  };
  // A hard edge at points: no better than a part of a sample, less far away.
  EXPECT_LT(off(critical, Propagation::rayleigh_sommerfeld), 2e-2);
  EXPECT_LT(off(13 * critical, Propagation::rayleigh_sommerfeld), 5e-4);
}

TEST(TransferFunctionTest, OutputWindowsOfOtherSizesAndPlaces) {
  at::manual_seed(3);
  const auto x = at::randn({1, 1, 12, 15}, at::kComplexDouble);
  auto whole = HopGeometry{
      .wavelength = wavelength, .distance = 4e-3, .spacing = 17e-6, .input = {12, 15}, .output = {40, 41}};
  for (const auto propagation :
       {Propagation::angular_spectrum, Propagation::fresnel, Propagation::rayleigh_sommerfeld}) {
    whole.propagation = propagation;
    const auto all = send(x, whole);
    auto part = whole;
    part.output = {10, 7};
    const double kernel =
        propagation == Propagation::rayleigh_sommerfeld ? 1e-12 : 2e-3;  // of two fine grids
    expect_close(send(x, part), all.narrow(2, 15, 10).narrow(3, 17, 7), kernel);
    part.offset = {3 * part.spacing, -5 * part.spacing};
    expect_close(send(x, part), all.narrow(2, 18, 10).narrow(3, 12, 7), kernel);
  }
}

TEST(TransferFunctionTest, AHopOfNoDistanceChangesNothing) {
  at::manual_seed(4);
  const auto x = at::randn({2, 1, 9, 10}, at::kComplexDouble);
  auto hop = HopGeometry{
      .wavelength = wavelength, .distance = 0, .spacing = 5e-6, .input = {9, 10}, .output = {9, 10}};
  expect_close(send(x, hop), x, 1e-13);
  hop.output = {11, 12};
  expect_close(send(x, hop).narrow(2, 1, 9).narrow(3, 1, 10), x, 1e-13);
}

TEST(TransferFunctionTest, EvanescentWavesDieOut) {
  // Two samples a wavelength are the limit; beyond, a checkerboard does not travel.
  auto hop = square(32, wavelength / 4, wavelength);
  EXPECT_TRUE(hop.samples_evanescent_waves());
  const auto odd = at::arange(32, real).remainder(2) * 2 - 1;
  const auto board = at::outer(odd, odd);
  hop = with(hop, Propagation::angular_spectrum, Sampling::plain, 1);
  const auto y = send(at::complex(board, at::zeros_like(board)), hop);
  const double s = 2 * 4, expected = std::exp(-2 * pi * std::sqrt(s - 1));
  EXPECT_NEAR(y.abs().max().item<double>() / expected, 1, 1e-6);
  hop.spacing = wavelength;
  EXPECT_FALSE(hop.samples_evanescent_waves());
}

TEST(TransferFunctionTest, AMediumShortensTheWave) {
  at::manual_seed(5);
  const auto x = at::randn({1, 1, 8, 8}, at::kComplexDouble);
  auto glass = square(8, 5e-6, 1e-3), vacuum = glass;
  glass.refractive_index = 1.5;
  vacuum.wavelength /= 1.5;
  expect_close(send(x, glass), send(x, vacuum), 1e-12);
}

TEST(TransferFunctionTest, FactorsOfAFresnelHopAndTheirSlope) {
  auto hop = with(square(10, 17e-6, 6e-3), Propagation::fresnel, Sampling::cropped);
  hop.output = {12, 9};
  const auto factors = ops::separable_transfer(hop);
  expect_close(factors.factor[0].unsqueeze(1) * factors.factor[1], ops::transfer_function(hop), 1e-14);
  const double step = 1e-6;
  auto nearer = hop, farther = hop;
  nearer.distance -= step;
  farther.distance += step;
  for (const size_t axis : {0, 1}) {
    const auto slope =
        (ops::separable_transfer(farther).factor[axis] - ops::separable_transfer(nearer).factor[axis]) /
        (2 * step);
    expect_close(factors.by_distance[axis], slope, 1e-5);
  }
}

TEST(TransferFunctionTest, MatricesAreTheFresnelHop) {
  at::manual_seed(6);
  const auto hop = with(square(24, 17e-6, 8e-3), Propagation::fresnel, Sampling::cropped);
  const auto x = at::randn({24, 24}, at::kComplexDouble);
  const auto at_distance = at::full({}, hop.distance, real);
  const auto k = ops::paraxial_matrix(places(24, 17e-6), places(24, 17e-6), 17e-6, at_distance, wavelength);
  expect_close(k.mm(x).mm(k.t()).view({1, 1, 24, 24}), send(x, hop), 5e-3);
  // Another pitch: a beam of light, seen twice as large.
  const auto in = places(128, 8e-6), out = places(96, 16e-6);
  const auto wide = ops::paraxial_matrix(out, in, 8e-6, at::full({}, .1, real), wavelength);
  EXPECT_LT(error(wide.mm(gaussian(in, 100e-6, 0)).mm(wide.t()), gaussian(out, 100e-6, .1)), 1e-6);
}

TEST(TransferFunctionTest, SlopesOfMatrices) {
  at::manual_seed(7);
  const auto in = places(6, 17e-6);
  auto z = at::full({}, 2e-3, real);
  auto shift = at::full({}, 3e-6, real), scale = at::full({}, 1.1, real);
  const auto weight = at::randn({5, 6}, at::kComplexDouble);
  for (const bool far : {false, true}) {
    const auto matrix = far ? &ops::fraunhofer_matrix : &ops::paraxial_matrix;
    const auto loss = [&] {
      return at::real(weight * matrix(places(5, 17e-6) * scale + shift, in, 17e-6, z, wavelength)).sum();
    };
    for (auto* const value : {&z, &shift, &scale}) {
      value->set_requires_grad(true);
      const auto slope = torch::autograd::grad({loss()}, {*value})[0].item<double>();
      value->set_requires_grad(false);
      const double step = value->item<double>() * 1e-4;
      *value += step;
      const double more = loss().item<double>();
      *value -= 2 * step;
      const double less = loss().item<double>();
      *value += step;
      EXPECT_NEAR((more - less) / (2 * step) / slope, 1, 1e-4);
    }
  }
}

TEST(TransferFunctionTest, FarFieldOfASlit) {
  const auto in = places(64, 4e-6), out = places(31, 1e-4);
  const double z = 2.0, width = 64 * 4e-6;
  const auto k = ops::fraunhofer_matrix(out, in, 4e-6, at::full({}, z, real), wavelength);
  const auto power = k.sum(1).abs().square();
  const auto expected =
      (at::sinc(out * (width / (wavelength * z)))).square() * (width * width / (wavelength * z));
  EXPECT_LT(error(power, expected), 1e-3);
}

TEST(TransferFunctionTest, SizesTransformWell) {
  EXPECT_EQ(ops::transform_size(1), 1);
  EXPECT_EQ(ops::transform_size(399), 400);
  EXPECT_EQ(ops::transform_size(7), 8);
  EXPECT_EQ(ops::transform_size(121), 128);  // not 125
  EXPECT_EQ(ops::transform_size(511), 512);
  EXPECT_EQ(ops::transform_size(541), 576);
}

TEST(TransferFunctionTest, WrongInput) {
  const auto good = square(8, 5e-6, 1e-3);
  const auto refused = [&](const std::function<void(HopGeometry&)>& change, const std::string& words) {
    auto hop = good;
    change(hop);
    EXPECT_SAYS(ops::transfer_function(hop), words);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinite = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, nan, infinite}) {
    refused([&](HopGeometry& hop) { hop.wavelength = bad; }, "wavelength: expected metres, more than 0");
    refused([&](HopGeometry& hop) { hop.spacing = bad; }, "spacing: expected metres, more than 0");
    if (bad != 0) {
      refused([&](HopGeometry& hop) { hop.distance = bad; }, "distance: expected metres, 0 or more");
    }
  }
  refused([](HopGeometry& hop) { hop.refractive_index = .9; }, "refractive_index");
  refused([](HopGeometry& hop) { hop.padding = 0; }, "padding");
  refused([](HopGeometry& hop) { hop.input = {0, 8}; }, "window");
  refused([](HopGeometry& hop) { hop.output = {8, 1 << 20}; }, "window");
  refused([&](HopGeometry& hop) { hop.offset = {nan, 0}; }, "offset");
  refused([](HopGeometry& hop) { hop.propagation = Propagation::rayleigh_sommerfeld, hop.distance = 0; },
          "distance");
  const auto z = at::full({}, 1.0, real), place = places(4, 1e-6);
  EXPECT_SAYS(ops::paraxial_matrix(place.to(at::kFloat), place, 1e-6, z, 1e-6), "outputs");
  EXPECT_SAYS(ops::paraxial_matrix(place, place / 0.0, 1e-6, z, 1e-6), "inputs");
  EXPECT_SAYS(ops::paraxial_matrix(place, place, 0, z, 1e-6), "spacing");
  EXPECT_SAYS(ops::paraxial_matrix(place, place, 1e-6, -z, 1e-6), "distance");
  EXPECT_SAYS(ops::paraxial_matrix(place + 1e3, place, 1e-6, z, 1e-6), "outputs");
  EXPECT_SAYS(ops::fraunhofer_matrix(place, place, 1e-6, z * 0, 1e-6), "distance");
}

}  // namespace
}  // namespace optotorch
