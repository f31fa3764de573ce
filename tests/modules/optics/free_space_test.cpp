#include <gtest/gtest.h>
#include <optotorch/modules/optics/free_space.h>
#include <support/differences.h>
#include <support/errors.h>
#include <torch/torch.h>

#include <cmath>

namespace optotorch {
namespace {

using testing::expect_close;

HopOptions fresnel_hop() {
  return HopOptions().distance(4e-3).refractive_index(1.5).propagation(Propagation::fresnel);
}

torch::Tensor hop_field(at::IntArrayRef shape) {
  return torch::randn(shape, torch::kComplexDouble);
}

// Every second sample behind a window of half the spacing stands where the usual window has one.
TEST(FreeSpaceLayerTest, AFinerWindowHoldsTheSamplesOfTheUsualOne) {
  torch::manual_seed(1);
  const auto x = hop_field({2, 2, 7, 9});
  FreeSpace usual(FreeSpaceOptions({7, 9}).hop(fresnel_hop()));
  FreeSpace finer(FreeSpaceOptions({7, 9}).hop(fresnel_hop()).output({13, 17}).output_spacing(8.5e-6));
  const auto y = finer->propagate(x).output;
  ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 2, 13, 17}));
  using torch::indexing::None;
  using torch::indexing::Slice;
  const Slice second(None, None, 2);
  // The two sample the same kernel on grids of different sizes.
  expect_close(y.index({Slice(), Slice(), second, second}), usual->propagate(x).output, 5e-3);
}

TEST(FreeSpaceLayerTest, EveryWavelengthHasItsMatrices) {
  const auto x = hop_field({3, 2, 4, 5});
  const auto options = FreeSpaceOptions({4, 5}).output({3, 6}).output_spacing(20e-6);
  FreeSpace both(FreeSpaceOptions(options).hop(fresnel_hop().wavelengths({450e-9, 700e-9})));
  const auto y = both->propagate(x).output;
  for (const int64_t n : {0, 1}) {
    FreeSpace one(FreeSpaceOptions(options).hop(fresnel_hop().wavelengths({n == 0 ? 450e-9 : 700e-9})));
    expect_close(y.narrow(1, n, 1), one->propagate(x.narrow(1, n, 1)).output, 1e-14);
  }
}

TEST(FreeSpaceLayerTest, TheSpacingOfTheHopChangesNothing) {
  const auto x = hop_field({1, 1, 5, 5});
  FreeSpace usual(FreeSpaceOptions({5, 5}).hop(HopOptions()));
  FreeSpace same(FreeSpaceOptions({5, 5}).hop(HopOptions()).output_spacing(17e-6));
  EXPECT_TRUE(at::equal(usual->propagate(x).output, same->propagate(x).output));
}

TEST(FreeSpaceLayerTest, WrongSpacings) {
  const auto options = FreeSpaceOptions({4, 4});
  EXPECT_SAYS(FreeSpace(FreeSpaceOptions(options).output_spacing(8e-6)), "propagation fresnel");
  EXPECT_SAYS(FreeSpace(FreeSpaceOptions(options).output_spacing(-8e-6)), "output_spacing");
  EXPECT_SAYS(FreeSpace(FreeSpaceOptions(options).output_spacing(std::nan(""))), "output_spacing");
  EXPECT_SAYS(FreeSpace(FreeSpaceOptions(options).hop(fresnel_hop()).output_spacing(1e3)), "outputs");
}

}  // namespace
}  // namespace optotorch
