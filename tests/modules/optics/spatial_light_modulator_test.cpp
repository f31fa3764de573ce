#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/spatial_light_modulator.h>
#include <support/differences.h>
#include <support/errors.h>

#include <limits>
#include <numbers>

namespace optotorch {
namespace {

using std::numbers::pi;
using testing::expect_close;
using Slm = SpatialLightModulator;
using Options = SpatialLightModulatorOptions;

torch::Tensor real_field(const torch::Tensor& x) {
  return at::complex(x, torch::zeros_like(x));
}

TEST(SpatialLightModulatorTest, ShowsAnImageInTheMiddle) {
  torch::manual_seed(1);
  const auto x = torch::rand({2, 1, 2, 3}, torch::kFloat64);
  const auto y = Slm(Options({7, 8}).unit_power(false))->forward(x);
  auto expected = torch::zeros({2, 1, 7, 8}, torch::kFloat64);
  expected.narrow(2, 1, 4).narrow(3, 1, 6).copy_(x.repeat_interleave(2, 2).repeat_interleave(2, 3));
  expect_close(y, real_field(expected), 1e-15);
  const auto small = Slm(Options({7, 8}).unit_power(false).magnification(1))->forward(x);
  expected.zero_().narrow(2, 2, 2).narrow(3, 2, 3).copy_(x);
  expect_close(small, real_field(expected), 1e-15);
}

TEST(SpatialLightModulatorTest, ASampleHasUnitPower) {
  torch::manual_seed(2);
  auto x = torch::rand({3, 2, 4, 4}, torch::kFloat64);
  x[1].zero_();
  for (const auto encoding : {Encoding::amplitude, Encoding::phase}) {
    const auto y = Slm(Options({9, 9}).encoding(encoding).oversampling(2).fill_factor(.7))->forward(x);
    const auto power = y.abs().square().sum({1, 2, 3});
    EXPECT_NEAR(power[0].item<double>(), 1, 1e-13);
    EXPECT_NEAR(power[2].item<double>(), 1, 1e-13);
    EXPECT_NEAR(power[1].item<double>(), encoding == Encoding::amplitude ? 0 : 1, 1e-13);
  }
}

TEST(SpatialLightModulatorTest, PhaseHasLevelsACurveAndACoupling) {
  const auto x = torch::tensor({0.0, .3, .6, 1.0}, torch::kFloat64).view({1, 1, 2, 2});
  auto options = Options({2, 2}).encoding(Encoding::phase).unit_power(false).phase_range(2 * pi);
  const auto light = [](const torch::Tensor& a, const torch::Tensor& p) {
    return at::complex(a * p.cos(), a * p.sin());
  };
  expect_close(Slm(options)->forward(x), light(torch::ones_like(x), 2 * pi * x), 1e-14);
  options.curve({.2, -.1}).coupling(.5);
  const auto p = 2 * pi * x;
  expect_close(Slm(options)->forward(x),
               light(1 - .25 * (1 - p.cos()), p + .2 * p.sin() - .1 * (2 * p).sin()), 1e-14);
  const auto steps = torch::tensor({0.0, .5, .5, 1.0}, torch::kFloat64).view({1, 1, 2, 2});
  expect_close(Slm(Options(options).levels(3))->forward(x), Slm(options)->forward(steps), 1e-14);
}

TEST(SpatialLightModulatorTest, WrongInput) {
  EXPECT_SAYS(Slm(Options({7})), "pixels");
  EXPECT_SAYS(Slm(Options({7, 7}).encoding(Encoding::complex)), "encoding: expected amplitude or phase");
  EXPECT_SAYS(Slm(Options({7, 7}).magnification(-1)), "magnification");
  EXPECT_SAYS(Slm(Options({7, 7}).levels(1)), "levels");
  EXPECT_SAYS(Slm(Options({7, 7}).phase_range(std::numeric_limits<double>::infinity())), "phase_range");
  EXPECT_SAYS(Slm(Options({7, 7}).curve({1})), "curve");
  EXPECT_SAYS(Slm(Options({7, 7}).coupling(1.5)), "coupling");
  EXPECT_SAYS(Slm(Options({7, 7}).fill_factor(2)), "fill_factor");
  Slm slm(Options({7, 7}));
  EXPECT_SAYS(slm->forward(torch::zeros({1, 1, 8, 7})), "that fit on 7 x 7 pixels");
  EXPECT_SAYS(slm->forward(torch::zeros({1, 7, 7})), "input");
  EXPECT_SAYS(slm->forward(torch::zeros({1, 1, 7, 7}, torch::kComplexFloat)), "input");
  EXPECT_SAYS(Slm(Options({7, 7}).magnification(3))->forward(torch::zeros({1, 1, 3, 3})), "3 or more");
}

}  // namespace
}  // namespace optotorch
