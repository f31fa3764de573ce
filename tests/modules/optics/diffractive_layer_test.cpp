#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/ops/free_space.h>
#include <support/differences.h>
#include <support/errors.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace optotorch {
namespace {

using std::numbers::pi;
using testing::expect_close;

HopOptions near() {
  return HopOptions().distance(3e-3).propagation(Propagation::fresnel);
}

DiffractiveLayer in_double(const DiffractiveLayerOptions& options) {
  DiffractiveLayer layer(options);
  layer->to(torch::kFloat64);
  return layer;
}

torch::Tensor turned(const torch::Tensor& phase) {
  return at::complex(phase.cos(), phase.sin());
}

TEST(DiffractiveLayerTest, IsAPlaneAndAHop) {
  torch::manual_seed(1);
  auto layer = in_double(DiffractiveLayerOptions({6, 5}).hop(near()));
  FreeSpace hop(FreeSpaceOptions({6, 5}).hop(near()));
  const auto x = torch::randn({3, 2, 6, 5}, torch::kComplexDouble);
  expect_close(layer->forward(x), hop->forward(x * turned(layer->phase.detach())), 1e-14);
  EXPECT_GE(layer->phase.min().item<double>(), 0);
  EXPECT_LE(layer->phase.max().item<double>(), 2 * pi);
  EXPECT_EQ(layer->footprint()[parts::pixels], 30);
  auto both = in_double(DiffractiveLayerOptions({6, 5}).hop(near()).modulation(Modulation::both));
  expect_close(both->forward(x),
               hop->forward(x * both->amplitude.detach().sigmoid() * turned(both->phase.detach())), 1e-14);
  auto glass = in_double(DiffractiveLayerOptions({6, 5}).hop(near()).start(PhaseStart::zero));
  expect_close(glass->forward(x), hop->forward(x), 1e-14);
}

TEST(DiffractiveLayerTest, OtherWavelengthsSeeLessPhaseAndAnotherHop) {
  torch::manual_seed(2);
  const auto hop = near().wavelengths({500e-9, 1000e-9});
  auto layer = in_double(DiffractiveLayerOptions({4, 4}).hop(hop));
  const auto x = torch::randn({2, 2, 4, 4}, torch::kComplexDouble), y = layer->forward(x);
  for (const int64_t n : {0, 1}) {
    FreeSpace one(
        FreeSpaceOptions({4, 4}).hop(near().wavelengths({hop.wavelengths()[static_cast<size_t>(n)]})));
    const auto plane = turned(layer->phase.detach() * (n == 0 ? 1 : .5));
    expect_close(y.narrow(1, n, 1), one->forward(x.narrow(1, n, 1) * plane), 1e-14);
  }
  EXPECT_SAYS(layer->forward(x.narrow(1, 0, 1)), "One plane for each wavelength");
}

TEST(DiffractiveLayerTest, SamplesOfAPixel) {
  torch::manual_seed(3);
  auto coarse = in_double(DiffractiveLayerOptions({3, 4}).hop(near()));
  auto fine = in_double(DiffractiveLayerOptions({3, 4}).hop(near()).oversampling(2));
  fine->phase.set_data(coarse->phase.detach().clone());
  FreeSpace hop(FreeSpaceOptions({6, 8}).hop(near().spacing(17e-6 / 2)));
  const auto x = torch::randn({1, 1, 6, 8}, torch::kComplexDouble);
  const auto phase = coarse->phase.detach().repeat_interleave(2, 0).repeat_interleave(2, 1);
  expect_close(fine->forward(x), hop->forward(x * turned(phase)), 1e-14);
  // Three samples a side, of which a fill factor of 1/9 leaves the middle one.
  auto dark = in_double(DiffractiveLayerOptions({1, 1}).hop(near()).oversampling(3).fill_factor(1.0 / 9));
  FreeSpace far(FreeSpaceOptions({3, 3}).hop(near().spacing(17e-6 / 3)));
  auto middle = torch::zeros({1, 1, 3, 3}, torch::kComplexDouble);
  const auto ones = torch::ones_like(middle);
  middle[0][0][1][1] = 1;
  expect_close(dark->forward(ones), far->forward(middle * turned(dark->phase.detach())), 1e-12);
}

/// What a stage does to light of one sample, seen at its plane: there is no hop.
torch::Tensor at_plane(DiffractiveLayer& layer, const Values& errors) {
  const auto window = layer->options.window();
  const auto ones = torch::ones({1, 1, window[0], window[1]}, torch::kComplexDouble);
  return layer->respond(ones, layer->commands(), errors)[0][0];
}

TEST(DiffractiveLayerTest, ErrorsAreWhatTheHeaderSays) {
  torch::manual_seed(4);
  auto layer = in_double(DiffractiveLayerOptions({5, 6}).hop(HopOptions().distance(0)));
  const auto p = layer->phase.detach();
  const auto wide = torch::dtype(torch::kFloat64);
  expect_close(at_plane(layer, {{"gain", torch::full({1}, .1, wide)}}), turned(1.1 * p), 1e-13);
  expect_close(at_plane(layer, {{"curve", torch::tensor({.1, -.2}, wide)}}),
               turned(p + .1 * p.sin() - .2 * (2 * p).sin()), 1e-13);
  expect_close(at_plane(layer, {{"coupling", torch::full({1}, .3, wide)}}),
               (1 - .3 * (1 - p.cos()) / 2) * turned(p), 1e-13);
  const auto screen = torch::randn({5, 6}, wide);
  expect_close(at_plane(layer, {{"phase_offset", screen}}), turned(p + screen), 1e-13);
  // Whole pixels: the plane lower by one, and farther right by two.
  const auto moved = at_plane(layer, {{"offset", torch::tensor({1.0, 2.0}, wide)}});
  auto expected = torch::zeros({5, 6}, torch::kComplexDouble);
  expected.narrow(0, 1, 4).narrow(1, 2, 4).copy_(turned(p).narrow(0, 0, 4).narrow(1, 0, 4));
  expect_close(moved, expected, 1e-12);
  // A quarter of a pixel to the right: to the plane's samples by sinc, and back; but for the kernel's alias.
  const auto quarter = at_plane(layer, {{"offset", torch::tensor({0.0, .25}, wide)}});
  const auto apart = torch::arange(6, wide).unsqueeze(1) - torch::arange(6, wide);
  const auto to_plane = at::complex(at::sinc(apart + .25), torch::zeros({6, 6}, wide));
  const auto from_plane = at::complex(at::sinc(apart - .25), torch::zeros({6, 6}, wide));
  const auto ones = torch::ones({5, 6}, torch::kComplexDouble);
  expect_close(quarter, (ones.mm(to_plane.t()) * turned(p)).mm(from_plane.t()), 5e-2);
  // A quarter of a turn takes down to right.
  auto square = in_double(DiffractiveLayerOptions({4, 4}).hop(HopOptions().distance(0)));
  const auto turned_plane = at_plane(square, {{"rotation", torch::full({1}, pi / 2, wide)}});
  expect_close(turned_plane, at::rot90(turned(square->phase.detach())), 1e-9);
  const auto tilted = at_plane(layer, {{"tilt", torch::tensor({1e-3, -2e-3}, wide)}});
  const auto y = (torch::arange(5, wide) - 2) * 17e-6, x = (torch::arange(6, wide) - 2.5) * 17e-6;
  expect_close(tilted, turned(p + 2 * pi / 532e-9 * (1e-3 * y.unsqueeze(1) - 2e-3 * x)), 1e-12);
  auto smooth = torch::zeros({15}, wide);
  smooth[0] = .5;  // half a wave across
  const auto k = ((torch::arange(6, wide) + .5) * (pi / 6)).cos();
  expect_close(at_plane(layer, {{"aberration", smooth}}),
               turned(p + .5 / std::sqrt(15.0) * k / k.square().mean().sqrt()), 1e-12);
}

TEST(DiffractiveLayerTest, IsRotatedAsSmoothPlanesAre) {
  const auto wide = torch::dtype(torch::kFloat64);
  auto layer =
      in_double(DiffractiveLayerOptions({32, 26}).hop(HopOptions().distance(0)).modulation(Modulation::both));
  const auto y = (torch::arange(32, wide) - 15.5).unsqueeze(1), x = torch::arange(26, wide) - 12.5;
  const auto spot = [](const torch::Tensor& down, const torch::Tensor& right) {
    return .9 * (-(down / 3.2).square() - ((right - 1) / 2.5).square()).exp();
  };
  const auto wave = [](const torch::Tensor& down, const torch::Tensor& right) {
    return .4 * down - .2 * right;
  };
  layer->amplitude.set_data(at::logit(spot(y, x)));
  layer->phase.set_data(wave(y, x));
  for (const double angle : {0.0, 1e-3, -.3, 1.2, 3.0, -4.5}) {
    const auto down = std::cos(angle) * y + std::sin(angle) * x,
               right = std::cos(angle) * x - std::sin(angle) * y;
    expect_close(at_plane(layer, {{"rotation", torch::full({1}, angle, wide)}}),
                 spot(down, right) * turned(wave(down, right)), 3e-5);
  }
}

TEST(DiffractiveLayerTest, TakesSignalsThatAreConjugatedLater) {
  torch::manual_seed(7);
  auto layer = in_double(DiffractiveLayerOptions({5, 6}).hop(near()));
  const auto wide = torch::dtype(torch::kFloat64);
  const Values errors = {{"offset", torch::full({2}, .2, wide)},
                         {"rotation", torch::full({1}, .1, wide)},
                         {"distance", torch::full({1}, .1, wide)}};
  const auto x = torch::randn({2, 1, 5, 6}, torch::kComplexDouble), g = torch::randn_like(x).conj();
  ASSERT_TRUE(g.is_conj());
  const auto y = layer->respond(x, layer->commands(), errors);
  const auto lazy = layer->respond_backward(g, x, y, layer->commands(), errors, {});
  const auto physical = layer->respond_backward(g.resolve_conj(), x, y, layer->commands(), errors, {});
  for (const auto& [name, value] : physical.errors) {
    expect_close(lazy.errors.at(name), value, 1e-14);
  }
}

TEST(DiffractiveLayerTest, LosesNoLightByARotation) {
  torch::manual_seed(6);
  auto layer = in_double(DiffractiveLayerOptions({40, 40}).hop(HopOptions().distance(0)));
  const auto kept = [&](double angle) {
    const auto mask = at_plane(layer, {{"rotation", torch::full({1}, angle, torch::kFloat64)}});
    return mask.narrow(0, 10, 20).narrow(1, 10, 20).abs().square().mean().item<double>();
  };
  EXPECT_NEAR(kept(0), 1, 1e-12);
  // The mean of a sample's neighbours keeps .6 of random phases here.
  EXPECT_NEAR(kept(.03), 1, .05);
  EXPECT_NEAR(kept(-.03), 1, .05);
}

TEST(DiffractiveLayerTest, DistanceIsAPartOfTheDesign) {
  torch::manual_seed(5);
  for (const auto propagation : {Propagation::fresnel, Propagation::angular_spectrum}) {
    const auto hop = HopOptions().distance(2e-3).propagation(propagation);
    auto layer = in_double(DiffractiveLayerOptions({5, 5}).hop(hop));
    auto farther = in_double(DiffractiveLayerOptions({5, 5}).hop(HopOptions(hop).distance(2.2e-3)));
    farther->phase.set_data(layer->phase.detach().clone());
    const auto x = torch::randn({2, 1, 5, 5}, torch::kComplexDouble);
    expect_close(layer->respond(x, layer->commands(), {{"distance", torch::full({1}, .1, torch::kFloat64)}}),
                 farther->forward(x), 1e-9);
  }
}

TEST(DiffractiveLayerTest, VaccinationMovesThePlaneInTrainingAlone) {
  torch::manual_seed(6);
  const auto options = DiffractiveLayerOptions({6, 6}).hop(near()).vaccination(.5).seed(3);
  auto layer = in_double(options);
  const auto x = torch::randn({2, 1, 6, 6}, torch::kComplexDouble);
  const auto first = layer->propagate(x), second = layer->propagate(x);
  EXPECT_GT(testing::relative_distance(first.output, second.output), 1e-3);
  EXPECT_EQ(layer->passes.item<double>(), 2);
  // The pull-back belongs to the offset of its own pass.
  const auto signal = torch::randn({2, 1, 6, 6}, torch::kComplexDouble);
  const auto down = layer->pullback(first, signal);
  const auto g = layer->respond_backward(signal, x, first.output, layer->commands(),
                                         {{"offset", first.saved.at(0)}}, {});
  expect_close(down, g.dL_dx, 1e-13);
  expect_close(layer->phase.grad(), g.commands.at("phase"), 1e-13);
  layer->passes.zero_();
  EXPECT_TRUE(layer->forward(x).equal(first.output));
  layer->eval();
  auto still = in_double(DiffractiveLayerOptions({6, 6}).hop(near()));
  still->phase.set_data(layer->phase.detach().clone());
  expect_close(layer->forward(x), still->forward(x), 1e-13);
}

TEST(DiffractiveLayerTest, WrongInput) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8})), "pixels: expected rows and columns");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 0})), "pixels");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).oversampling(17)), "oversampling");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).fill_factor(0)), "fill_factor");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).fill_factor(nan)), "fill_factor");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).vaccination(-1)), "vaccination");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).output({8, -1})), "output");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).hop(HopOptions().distance(-1))), "distance");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).hop(HopOptions().wavelengths({}))),
              "wavelengths");
  EXPECT_SAYS(DiffractiveLayer(DiffractiveLayerOptions({8, 8}).hop(HopOptions().wavelengths({5e-7, 0}))),
              "wavelength");
  DiffractiveLayer layer(DiffractiveLayerOptions({8, 7}));
  EXPECT_SAYS(layer->forward(torch::zeros({1, 1, 7, 7}, torch::kComplexFloat)), "[batch, planes, 8, 7]");
  EXPECT_SAYS(layer->forward(torch::zeros({1, 1, 8, 7})), "SpatialLightModulator");
  EXPECT_SAYS(layer->forward(torch::zeros({1, 1, 8, 7}, torch::kComplexDouble)), "DiffractiveLayer");
  {
    const torch::NoGradGuard no_grad;
    layer->phase[0][0] = nan;
  }
  EXPECT_SAYS(layer->forward(torch::zeros({1, 1, 8, 7}, torch::kComplexFloat)), "phase");
}

}  // namespace
}  // namespace optotorch
