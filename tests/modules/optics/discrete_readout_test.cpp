#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/boolean_readout.h>
#include <optotorch/modules/optics/ternary_readout.h>
#include <support/differences.h>
#include <support/errors.h>

#include <cmath>

namespace optotorch {
namespace {

using testing::central_differences;
using testing::expect_close;

std::vector<std::shared_ptr<DiscreteReadout>> both_kinds(const DiscreteReadoutOptions& options) {
  torch::manual_seed(5);
  return {std::make_shared<BooleanReadoutImpl>(options), std::make_shared<TernaryReadoutImpl>(options)};
}

TEST(DiscreteReadoutTest, WeightsAreTheNearestValues) {
  const auto latent = at::tensor({-2.0F, -0.51F, -0.5F, -0.1F, 0.0F, 0.5F, 0.51F, 3.0F}).unsqueeze(0);
  const auto readouts = both_kinds(DiscreteReadoutOptions(8, 1));
  const torch::NoGradGuard no_grad;
  for (const auto& readout : readouts) {
    readout->weight.copy_(latent);
  }
  EXPECT_TRUE(readouts[0]->discrete_weight().equal(
      at::tensor({0.F, 0.F, 0.F, 0.F, 0.F, 0.F, 1.F, 1.F}).unsqueeze(0)));
  EXPECT_TRUE(readouts[1]->discrete_weight().equal(
      at::tensor({-1.F, -1.F, 0.F, 0.F, 0.F, 0.F, 1.F, 1.F}).unsqueeze(0)));
  EXPECT_EQ(readouts[0]->exposures(), 1);
  EXPECT_EQ(readouts[1]->exposures(), 2);
}

TEST(DiscreteReadoutTest, EveryValueIsDrawnAtFirst) {
  for (const auto& readout : both_kinds(DiscreteReadoutOptions(300, 30))) {
    const auto w = readout->discrete_weight();
    const double values = readout->least() < 0 ? 3 : 2;
    for (int64_t value = readout->least(); value <= 1; ++value) {
      EXPECT_NEAR((w == value).to(at::kDouble).mean().item<double>(), 1 / values, 0.02) << value;
    }
  }
}

TEST(DiscreteReadoutTest, ThePullbackGoesStraightThrough) {
  for (const auto& readout : both_kinds(DiscreteReadoutOptions(6, 3))) {
    readout->to(torch::kFloat64);
    {
      const torch::NoGradGuard no_grad;
      readout->gain.uniform_(0.5, 2);
      readout->bias.uniform_(-1, 1);
    }
    auto x = torch::randn({5, 6}, torch::kFloat64);
    const auto pass = readout->propagate(x);
    expect_close(pass.output,
                 x.mm(readout->discrete_weight().t()) * readout->gain.detach() + readout->bias.detach(),
                 1e-14);
    const auto signal = torch::randn_like(pass.output);
    const auto loss = [&] { return (readout->propagate(x).output * signal).sum().item<double>(); };
    const auto dL_dx = readout->pullback(pass, signal);
    expect_close(dL_dx, central_differences(loss, x), 1e-8);
    expect_close(readout->gain.grad(), central_differences(loss, readout->gain.detach()), 1e-8);
    expect_close(readout->bias.grad(), central_differences(loss, readout->bias.detach()), 1e-8);
    expect_close(readout->weight.grad(), (signal * readout->gain.detach()).t().mm(x), 1e-14);
  }
}

// sigma of the Boolean reading is `noise` times its deviation; of the ternary one the variances of both exposures add.
TEST(DiscreteReadoutTest, NoiseIsThatOfTheExposures) {
  const int64_t batch = 40'000;
  torch::manual_seed(2);
  const auto x = torch::rand({batch, 20}) * torch::linspace(0.2, 2, 20);
  for (const auto& readout : both_kinds(DiscreteReadoutOptions(20, 2).noise(0.3).seed(9))) {
    const torch::NoGradGuard no_grad;
    readout->gain.fill_(2);
    readout->eval();
    const auto ideal = readout->forward(x);
    readout->train();
    const auto first = readout->forward(x), second = readout->forward(x);
    EXPECT_EQ(readout->readings.item<int64_t>(), 2);
    const auto w = readout->discrete_weight();
    auto variance = x.mm(w.clamp_min(0).t()).var(0);
    if (readout->least() < 0) {
      variance = variance + x.mm(w.clamp_max(0).t()).var(0);
    }
    const auto expected = 2 * 0.3 * variance.sqrt();
    expect_close((first - ideal).std(0), expected, 0.02);
    EXPECT_LE((first - ideal).mean(0).abs().max().item<double>(), 0.03 * expected.max().item<double>());
    EXPECT_FALSE(first.equal(second));
    // Independent of one output to the next, and of one reading to the next.
    const auto a = (first - ideal).select(1, 0), b = (first - ideal).select(1, 1),
               c = (second - ideal).select(1, 0);
    for (const auto& other : {b, c}) {
      EXPECT_LE(std::abs((a * other).mean().item<double>()), 0.02 * expected.square().max().item<double>());
    }
  }
}

TEST(DiscreteReadoutTest, WrongOptionsAndInputAreRejected) {
  EXPECT_SAYS(BooleanReadout(0, 1), "in_features");
  EXPECT_SAYS(TernaryReadout(3, 0), "in_features");
  EXPECT_SAYS(TernaryReadout(DiscreteReadoutOptions(3, 1).noise(-0.1)), "noise");
  EXPECT_SAYS(TernaryReadout(DiscreteReadoutOptions(3, 1).noise(std::nan(""))), "noise");
  EXPECT_SAYS(TernaryReadout(3, 1)->forward(torch::rand({2, 4})), "TernaryReadout: input");
}

}  // namespace
}  // namespace optotorch
