#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/ops/filter_coefficients.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

using ops::filter_coefficients;
using ops::FilterKind;
using testing::expect_close;

/// |H(f)|^2 of one section.
at::Tensor transmission(const at::Tensor& c, double f, int64_t delay) {
  const auto z =
      c10::complex<double>(std::polar(1.0, -2 * std::numbers::pi * f * static_cast<double>(delay)));
  return ((c.select(1, 0) + c.select(1, 1) * z) / (1 - c.select(1, 2) * z)).abs().square();
}

at::Tensor numbers(std::initializer_list<double> values) {
  return at::tensor(std::vector<double>(values), at::kDouble);
}

TEST(FilterCoefficientsTest, ALorentzianIsOneForNarrowLines) {
  const auto f = numbers({0.1}), b = numbers({1e-3});
  const auto c = filter_coefficients(FilterKind::lorentzian, f, b).values;
  for (const double detuning : {-2e-3, -5e-4, 0.0, 1e-4, 3e-3}) {
    const double x = 2 * detuning / 1e-3;
    EXPECT_NEAR(transmission(c, 0.1 + detuning, 1).item<double>(), 1 / (1 + x * x), 2e-5) << detuning;
  }
}

TEST(FilterCoefficientsTest, ARingHasItsWidthAndItsRange) {
  for (const int64_t delay : {1, 4}) {
    const auto f = numbers({0.03, -0.07}), b = numbers({0.2, 0.01}) / static_cast<double>(delay);
    for (const double round_trip : {1.0, 0.99}) {
      const auto c = filter_coefficients(FilterKind::ring, f, b, delay, round_trip).values;
      for (int64_t k = 0; k < 2; ++k) {
        const double at = f[k].item<double>(), half = b[k].item<double>() / 2;
        const double peak = transmission(c, at, delay)[k].item<double>();
        EXPECT_NEAR(transmission(c, at + half, delay)[k].item<double>(), peak / 2, 1e-12);
        EXPECT_NEAR(transmission(c, at + 1.0 / static_cast<double>(delay), delay)[k].item<double>(), peak,
                    1e-9);
        EXPECT_EQ(peak < 1 - 1e-9, round_trip < 1);
        // The closed formula: drop port of two couplers, t^2 = r / A.
        const double r = c[k][2].abs().item<double>(), t2 = r / round_trip;
        EXPECT_NEAR(peak, round_trip * std::pow((1 - t2) / (1 - r), 2), 1e-12);
      }
    }
  }
}

TEST(FilterCoefficientsTest, AnInterferometerHasFringes) {
  const auto c = filter_coefficients(FilterKind::interferometer, numbers({0.1}), numbers({1.0}), 3).values;
  EXPECT_NEAR(transmission(c, 0.1, 3).item<double>(), 1, 1e-12);
  EXPECT_NEAR(transmission(c, 0.1 + 1.0 / 6, 3).item<double>(), 0, 1e-12);
  EXPECT_NEAR(transmission(c, 0.1 + 1.0 / 12, 3).item<double>(), 0.5, 1e-12);
}

TEST(FilterCoefficientsTest, SlopesAreDerivatives) {
  const auto f = numbers({0.1, -0.3}), b = numbers({0.02, 0.1});
  for (const auto kind : {FilterKind::lorentzian, FilterKind::ring, FilterKind::interferometer}) {
    const int64_t delay = kind == FilterKind::lorentzian ? 1 : 3;
    const auto c = filter_coefficients(kind, f, b, delay, 0.995);
    constexpr double step = 1e-6;
    const auto by = [&](const at::Tensor& df, const at::Tensor& db) {
      return (filter_coefficients(kind, f + df, b + db, delay, 0.995).values -
              filter_coefficients(kind, f - df, b - db, delay, 0.995).values) /
             (2 * step);
    };
    const auto some = at::full_like(f, step), none = at::zeros_like(f);
    expect_close(c.by_frequency, by(some, none), 1e-8);
    expect_close(c.by_width, by(none, some), 1e-7);
  }
}

TEST(FilterCoefficientsTest, WidthsEndWhereARingCannotFollow) {
  // Half of the light is lost on a round trip: the line can't be narrow. Nothing is dropped then, and nothing grows.
  const auto c = filter_coefficients(FilterKind::ring, numbers({0.0, 0.0}), numbers({1e-3, 3.0}), 1, 0.7);
  EXPECT_NEAR(c.values[0][0].abs().item<double>(), 0, 1e-12);
  EXPECT_NEAR(c.values[0][2].abs().item<double>(), 0.7, 1e-12);
  EXPECT_LT(c.by_width.abs().max().item<double>(), 1e-12);
}

TEST(FilterCoefficientsTest, RejectsWrongInput) {
  const auto f = numbers({0.1, 0.2}), b = numbers({0.1, 0.1});
  const auto ring = FilterKind::ring;
  expect_complaint({"filter_coefficients", "width", "positive"}, [&] {
    filter_coefficients(ring, f, numbers({0.1, 0}));
  });
  expect_complaint({"filter_coefficients", "width", "positive"}, [&] {
    filter_coefficients(ring, f, numbers({0.1, std::nan("")}));
  });
  expect_complaint({"filter_coefficients", "float64"},
                   [&] { filter_coefficients(ring, f.to(at::kFloat), b); });
  expect_complaint({"filter_coefficients", "float64"},
                   [&] { filter_coefficients(ring, f, b.narrow(0, 0, 1)); });
  expect_complaint({"filter_coefficients", "delay"},
                   [&] { filter_coefficients(FilterKind::lorentzian, f, b, 2); });
  expect_complaint({"filter_coefficients", "round_trip"}, [&] { filter_coefficients(ring, f, b, 1, 1.5); });
}

}  // namespace
}  // namespace optotorch
