#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/digitizer.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>

namespace optotorch {
namespace {

TEST(DigitizerTest, TakesTheNearestLevel) {
  Digitizer adc(DigitizerOptions().bits(2).full_scale(3));
  const auto x = at::tensor({-1.0, 0.4, 0.6, 2.4, 2.6, 9.0}, at::kDouble).unsqueeze(0);
  EXPECT_TRUE(adc->forward(x).equal(at::tensor({0.0, 0.0, 1.0, 2.0, 3.0, 3.0}, at::kDouble).unsqueeze(0)));
  // Where it is saturated nothing is learnt.
  const auto pass = adc->propagate(x);
  EXPECT_TRUE(adc->pullback(pass, at::ones_like(x), true)
                  .equal(at::tensor({0.0, 1.0, 1.0, 1.0, 1.0, 0.0}, at::kDouble).unsqueeze(0)));
}

TEST(DigitizerTest, HasTheNoiseThatItSays) {
  Digitizer receiver(DigitizerOptions().shot_noise(0.04).thermal_noise(0.3).seed(7));
  const auto x = at::full({1, 200000}, 2.0, at::kDouble);
  const auto one = receiver->forward(x), two = receiver->forward(x);
  EXPECT_FALSE(one.equal(two));
  EXPECT_NEAR((one - x).mean().item<double>(), 0, 5e-3);
  EXPECT_NEAR((one - x).square().mean().item<double>(), 0.04 * 2 + 0.09, 3e-3);
  EXPECT_EQ(receiver->passes.item<int64_t>(), 2);
  receiver->eval();
  EXPECT_TRUE(receiver->forward(x).equal(x));
}

TEST(DigitizerTest, RejectsWrongInput) {
  expect_complaint({"Digitizer", "bits"}, [] { Digitizer(DigitizerOptions().bits(25)); });
  expect_complaint({"Digitizer", "bits"}, [] { Digitizer(DigitizerOptions().bits(-1)); });
  expect_complaint({"Digitizer", "full_scale"}, [] { Digitizer(DigitizerOptions().full_scale(0)); });
  expect_complaint({"Digitizer", "thermal_noise"}, [] { Digitizer(DigitizerOptions().thermal_noise(-1)); });
  expect_complaint({"Digitizer", "shot_noise"},
                   [] { Digitizer(DigitizerOptions().shot_noise(std::nan(""))); });
  Digitizer adc;
  expect_complaint({"Digitizer", "input"}, [&] { adc->forward(at::zeros({2, 3}, at::kComplexFloat)); });
}

}  // namespace
}  // namespace optotorch
