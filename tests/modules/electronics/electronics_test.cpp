// Small electronic modules that networks' files need beside torch::nn.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/electronics/l2_normalize.h>
#include <optotorch/modules/electronics/narrow.h>
#include <optotorch/modules/electronics/normalize.h>
#include <optotorch/modules/electronics/permute.h>
#include <optotorch/modules/electronics/slice_linear.h>
#include <support/errors.h>

#include <cmath>

namespace optotorch {
namespace {

TEST(ElectronicsTest, NormalizeIsTorchvisions) {
  const auto x = torch::rand({2, 3, 4, 5});
  const std::vector<double> mean{0.1, 0.2, 0.3}, std{0.5, 2, 3};
  const auto y = Normalize(NormalizeOptions(mean, std))->forward(x);
  for (int64_t c = 0; c < 3; ++c) {
    const auto k = static_cast<size_t>(c);
    EXPECT_TRUE(y.select(1, c).allclose((x.select(1, c) - mean[k]) / std[k], 1e-6, 1e-7)) << c;
  }
  const auto one = Normalize(NormalizeOptions({0.1307}, {0.3081}))->forward(x);
  EXPECT_TRUE(one.equal((x - 0.1307) / 0.3081));
  EXPECT_SAYS(Normalize(NormalizeOptions({0}, {0})), "std above 0");
  EXPECT_SAYS(Normalize(NormalizeOptions({0, 1}, {1})), "Normalize: mean, std");
  EXPECT_SAYS(Normalize(NormalizeOptions({}, {})), "Normalize: mean, std");
  EXPECT_SAYS(Normalize(NormalizeOptions({std::nan("")}, {1})), "finite");
  auto two = Normalize(NormalizeOptions({0, 1}, {1, 1}));
  EXPECT_SAYS(two->forward(x), "[batch, 2, ...]");
  EXPECT_SAYS(two->forward(torch::zeros({2, 2}, torch::kLong)), "real images");
}

TEST(ElectronicsTest, L2NormalizeLeavesTheDarkAlone) {
  auto x = torch::rand({3, 5}, torch::kDouble);
  x[1].zero_();
  const auto y = L2Normalize()->forward(x);
  EXPECT_NEAR(y[0].square().sum().item<double>(), 1, 1e-12);
  EXPECT_TRUE(y[1].equal(torch::zeros({5}, torch::kDouble)));
  EXPECT_TRUE(y[2].allclose(x[2] / x[2].norm()));
  EXPECT_SAYS(L2Normalize()->forward(x[0]), "[batch, values]");
}

TEST(ElectronicsTest, NarrowTakesEveryNth) {
  const auto x = torch::arange(20).view({2, 10});
  EXPECT_TRUE(Narrow(3)->forward(x).equal(x.narrow(1, 0, 3)));
  EXPECT_TRUE(Narrow(NarrowOptions(3).start(1).step(4))->forward(x)[0].equal(torch::tensor({1, 5, 9})));
  EXPECT_SAYS(Narrow(NarrowOptions(3).start(2).step(4))->forward(x), "at least 11 values");
  EXPECT_SAYS(Narrow(0), "length");
  EXPECT_SAYS(Narrow(NarrowOptions(1).step(0)), "length, start, step");
}

TEST(ElectronicsTest, PermuteLeavesTheBatch) {
  const auto x = torch::rand({2, 3, 4});
  EXPECT_TRUE(Permute(PermuteOptions({0, 2, 1}))->forward(x).equal(x.transpose(1, 2)));
  EXPECT_SAYS(Permute(PermuteOptions({1, 0})), "dims");
  EXPECT_SAYS(Permute(PermuteOptions({0, 2})), "dims");
  EXPECT_SAYS(Permute(PermuteOptions({0, 1}))->forward(x), "2 dimensions");
}

TEST(ElectronicsTest, SliceLinearHasAMapForEverySlice) {
  torch::manual_seed(1);
  SliceLinear linear(SliceLinearOptions(4, 3, 2));
  const auto x = torch::rand({5, 12});
  const auto y = linear->forward(x);
  for (int64_t s = 0; s < 4; ++s) {
    const auto expected = x.narrow(1, 3 * s, 3).matmul(linear->weight[s]) + linear->bias[s];
    EXPECT_TRUE(y.narrow(1, 2 * s, 2).allclose(expected, 1e-5, 1e-6)) << s;
  }
  EXPECT_LE(linear->weight.abs().max().item<double>(), std::sqrt(6.0 / 5));
  EXPECT_SAYS(linear->forward(x.narrow(1, 0, 11)), "[batch, 4 x 3]");
  EXPECT_SAYS(SliceLinear(SliceLinearOptions(0, 1, 1)), "1 to 2^24");
}

}  // namespace
}  // namespace optotorch
