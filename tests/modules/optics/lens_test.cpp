#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/modules/optics/lens.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/non_finite.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cmath>
#include <complex>
#include <numbers>

namespace optotorch {
namespace {

using std::numbers::pi;
using testing::expect_close;
using testing::infinity;
using testing::nan;

/// exp(-i pi r^2 / (lambda f)) number by number: [rows, columns].
torch::Tensor written_out(int64_t rows, int64_t columns, double focal_length, double wavelength,
                          double spacing, double down = 0, double right = 0) {
  auto mask = torch::empty({rows, columns}, torch::kComplexDouble);
  for (const auto i : c10::irange(rows)) {
    for (const auto j : c10::irange(columns)) {
      const double y = (static_cast<double>(i) - static_cast<double>(rows - 1) / 2) * spacing - down;
      const double x = (static_cast<double>(j) - static_cast<double>(columns - 1) / 2) * spacing - right;
      const auto value = std::polar(1.0, -pi * (y * y + x * x) / (wavelength * focal_length));
      mask[i][j] = c10::complex<double>(value.real(), value.imag());
    }
  }
  return mask;
}

/// A Gaussian beam's field where its radius is w, around a place given in samples from the middle.
torch::Tensor gaussian(int64_t size, double spacing, double w, double down = 0, double right = 0) {
  const auto axis = (torch::arange(size, torch::kDouble) - static_cast<double>(size - 1) / 2) * spacing;
  const auto squared = (axis - down).square().unsqueeze(1) + (axis - right).square();
  const auto field = (squared / (-w * w)).exp().view({1, 1, size, size});
  return at::complex(field, torch::zeros_like(field));
}

torch::Tensor lens_field(at::IntArrayRef sizes, torch::ScalarType type = torch::kComplexDouble) {
  torch::manual_seed(4);
  return torch::randn(sizes, type);
}

TEST(LensTest, IsItsFormula) {
  const auto x = lens_field({2, 3, 4, 7});
  Lens lens(LensOptions({4, 7}, 2e-3).spacing(8e-6));
  expect_close(lens->propagate(x).output, x * written_out(4, 7, 2e-3, 532e-9, 8e-6), 1e-14);
  Lens aside(LensOptions({4, 7}, -1e-3).spacing(8e-6).center({1e-5, -3e-5}));
  expect_close(aside->propagate(x).output, x * written_out(4, 7, -1e-3, 532e-9, 8e-6, 1e-5, -3e-5), 1e-14);
}

TEST(LensTest, EveryWavelengthHasItsPlane) {
  Lens lens(LensOptions({4, 7}, 2e-3).spacing(8e-6).wavelengths({450e-9, 700e-9}));
  const auto x = lens_field({3, 2, 4, 7});
  const auto y = lens->propagate(x).output;
  expect_close(y.select(1, 0), x.select(1, 0) * written_out(4, 7, 2e-3, 450e-9, 8e-6), 1e-14);
  expect_close(y.select(1, 1), x.select(1, 1) * written_out(4, 7, 2e-3, 700e-9, 8e-6), 1e-14);
  EXPECT_SAYS(lens->propagate(x.narrow(1, 0, 1)), "One plane for each wavelength");
}

// A beam of radius w0 at the lens has the radius w(z)^2 = w0^2 (1 - z/f)^2 + (lambda z / (pi w0))^2 behind it.
TEST(LensTest, FocusesAGaussianBeam) {
  constexpr int64_t size = 128;
  constexpr double spacing = 8e-6, wavelength = 532e-9, w0 = 120e-6, f = .05;
  const auto x = gaussian(size, spacing, w0);
  for (const double focal_length : {f, -f}) {
    Lens lens(LensOptions({size, size}, focal_length).spacing(spacing));
    for (const double z : {.5 * f, f}) {
      FreeSpace space(FreeSpaceOptions({size, size})
                          .hop(HopOptions().distance(z).spacing(spacing).propagation(Propagation::fresnel)));
      const auto y = space->propagate(lens->propagate(x).output).output.abs();
      const double w = std::hypot(w0 * (1 - z / focal_length), wavelength * z / (pi * w0));
      const auto expected = gaussian(size, spacing, w).abs() * (w0 / w);
      expect_close(y, expected, focal_length > 0 ? 1e-7 : 1e-5);
    }
  }
}

TEST(LensTest, FocusesWhereItStands) {
  constexpr int64_t size = 96;
  constexpr double spacing = 8e-6, f = .02, down = 10 * spacing, right = -6 * spacing;
  Lens lens(LensOptions({size, size}, f).spacing(spacing).center({down, right}));
  FreeSpace space(FreeSpaceOptions({size, size}).hop(HopOptions().distance(f).spacing(spacing)));
  const auto light = space->propagate(lens->propagate(gaussian(size, spacing, 1.2e-4)).output).output;
  const auto power = at::real(light * light.conj())[0][0];
  const auto places = torch::arange(size, torch::kDouble) - (size - 1) / 2.;
  EXPECT_NEAR((power.sum(1) * places).sum().item<double>() / power.sum().item<double>(), 10, 1e-2);
  EXPECT_NEAR((power.sum(0) * places).sum().item<double>() / power.sum().item<double>(), -6, 1e-2);
}

TEST(LensTest, TheOppositeLensUndoesIt) {
  const auto x = lens_field({2, 1, 5, 6}, torch::kComplexFloat);
  Lens lens(LensOptions({5, 6}, 1e-4)), opposite(LensOptions({5, 6}, -1e-4));
  expect_close(opposite->propagate(lens->propagate(x).output).output, x, 1e-6);
  EXPECT_EQ(lens->footprint(), (Footprint{{"lenses", 1}}));
  EXPECT_TRUE(lens->parameters().empty());
}

TEST(LensTest, PullbackIsTheDerivative) {
  Lens lens(LensOptions({3, 4}, 1e-3).wavelengths({532e-9, 633e-9}).center({1e-5, 0}));
  const auto x = lens_field({2, 2, 3, 4}), w = torch::randn_like(x);
  const auto loss = [&] { return at::real(w.conj() * lens->propagate(x).output).sum().item<double>(); };
  expect_close(lens->pullback(lens->propagate(x), w), testing::central_differences(loss, x), 1e-9);
  EXPECT_FALSE(lens->pullback(lens->propagate(x), w, /*to_input=*/false).defined());
}

TEST(LensTest, AnEmptyBatchGivesAnEmptyField) {
  Lens lens(LensOptions({3, 4}, 1e-3));
  const auto pass = lens->propagate(torch::zeros({0, 2, 3, 4}, torch::kComplexFloat));
  EXPECT_EQ(pass.output.sizes(), at::IntArrayRef({0, 2, 3, 4}));
  EXPECT_EQ(lens->pullback(pass, pass.output).sizes(), at::IntArrayRef({0, 2, 3, 4}));
}

// Layers without parameters do not know their precision: eval mode and the file follow the field's.
TEST(LensTest, TrainsOfLensesKeepTheirDigitsInEvalModeAndInTheFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/lens.pt";
  const auto hop = HopOptions().distance(2e-3).wavelengths({532e-9, 633e-9});
  Hybrid net(FreeSpace(FreeSpaceOptions({5, 6}).hop(hop)),
             Lens(LensOptions({5, 6}, 3e-3).wavelengths({532e-9, 633e-9})),
             FreeSpace(FreeSpaceOptions({5, 6}).hop(hop).output({4, 3})));
  for (const auto type : {torch::kComplexDouble, torch::kComplexFloat}) {
    const double tolerance = type == torch::kComplexDouble ? 1e-14 : 2e-6;
    const auto x = lens_field({3, 2, 5, 6}, type);
    net->train();
    const auto expected = net->forward(x);
    net->eval();
    expect_close(net->forward(x), expected, tolerance);
    export_torchscript(net, x.narrow(0, 0, 2), path);
    auto file = torch::jit::load(path);
    for (const int64_t batch : {3, 1, 2}) {
      expect_close(file.forward({x.narrow(0, 0, batch)}).toTensor(), expected.narrow(0, 0, batch), tolerance);
    }
    EXPECT_ANY_THROW(file.forward({x.narrow(1, 0, 1)})) << "planes";
    EXPECT_ANY_THROW(file.forward({x.narrow(2, 0, 4)})) << "rows";
    EXPECT_ANY_THROW(file.forward({at::cat({x, x}, 3)})) << "columns";
  }
  // A file that was written in single precision has all digits for a field that has them.
  auto file = torch::jit::load(path);
  const auto x = lens_field({3, 2, 5, 6});
  net->train();
  expect_close(file.forward({x}).toTensor(), net->forward(x), 1e-14);
}

TEST(LensTest, WrongInput) {
  for (const double focal_length : {0., -0., nan, infinity, -infinity}) {
    EXPECT_SAYS(Lens(LensOptions({3, 4}, focal_length)), "Lens: focal_length: expected finite, not 0 m, got");
  }
  EXPECT_SAYS(Lens(LensOptions({3, 4}, 1e-320)), "Lens: focal_length");
  for (const double spacing : {0., -1e-6, nan, infinity}) {
    EXPECT_SAYS(Lens(LensOptions({3, 4}, 1).spacing(spacing)), "Lens: spacing: expected more than 0 m");
    EXPECT_SAYS(Lens(LensOptions({3, 4}, 1).wavelengths({532e-9, spacing})), "Lens: wavelengths: expected");
  }
  EXPECT_SAYS(Lens(LensOptions({3, 4}, 1).wavelengths({})), "Lens: wavelengths: expected one or more");
  EXPECT_SAYS(Lens(LensOptions({3, 4}, 1).center({0, nan})), "Lens: center: expected two finite numbers");
  EXPECT_SAYS(Lens(LensOptions({3, 4}, 1).center({0})), "Lens: center: expected two finite numbers");
  EXPECT_SAYS(Lens(LensOptions({3}, 1)), "Lens: window: expected rows and columns");
  EXPECT_SAYS(Lens(LensOptions({3, 0}, 1)), "Lens: window");
  Lens lens(LensOptions({3, 4}, 1));
  const auto x = lens_field({2, 1, 3, 4});
  EXPECT_SAYS(lens->propagate(x.narrow(3, 0, 3)), "a complex field [batch, planes, 3, 4]");
  EXPECT_SAYS(lens->propagate(x.transpose(2, 3)), "Lens: input");
  EXPECT_SAYS(lens->propagate(x[0]), "Lens: input");
  EXPECT_SAYS(lens->propagate(at::real(x)), "SpatialLightModulator");
}

}  // namespace
}  // namespace optotorch
