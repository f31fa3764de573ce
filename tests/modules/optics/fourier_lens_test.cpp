#include <gtest/gtest.h>
#include <optotorch/modules/optics/fourier_lens.h>

namespace optotorch {
namespace {

TEST(FourierLensTest, AnEmptyBatchGivesAnEmptyField) {
  FourierLens lens(4);
  const auto pass = lens->propagate(torch::zeros({0, 1, 9, 8}));
  EXPECT_EQ(pass.output.sizes(), torch::IntArrayRef({0, 16}));
  EXPECT_EQ(pass.output.scalar_type(), torch::kComplexFloat);
  EXPECT_EQ(lens->pullback(pass, pass.output).sizes(), torch::IntArrayRef({0, 1, 9, 8}));
}

TEST(FourierLensTest, ABlackImageStaysBlackAndItsSignalFinite) {
  FourierLens lens(4);
  auto x = torch::rand({2, 1, 9, 8});
  x[1].zero_();
  const auto pass = lens->propagate(x);
  EXPECT_EQ(pass.output[1].abs().max().item<double>(), 0);
  EXPECT_NEAR(pass.output[0].abs().mean().item<double>(), 1, 1e-6);
  const auto signal = lens->pullback(pass, torch::ones_like(pass.output));
  EXPECT_TRUE(signal.isfinite().all().item<bool>());
  EXPECT_LE(signal.abs().max().item<double>(), 100) << "no 1 / 1e-30";
}

}  // namespace
}  // namespace optotorch
