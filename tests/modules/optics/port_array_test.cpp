#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/port_array.h>
#include <support/differences.h>
#include <support/errors.h>

namespace optotorch {
namespace {

TEST(PortArrayTest, PortsLightSquares) {
  torch::manual_seed(1);
  PortArray layer(PortArrayOptions({2, 3}, {9, 12}).pitch(3).side(2));
  const auto x = torch::randn({2, 6}, torch::kComplexDouble), y = layer->forward(x);
  ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 1, 9, 12}));
  auto expected = torch::zeros({2, 1, 9, 12}, torch::kComplexDouble);
  for (int64_t k = 0; k < 6; ++k) {
    const int64_t top = 1 + k / 3 * 3, left = 1 + k % 3 * 3;
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < 2; ++j) {
        expected.select(3, left + j).select(2, top + i).select(1, 0).copy_(x.select(1, k) / 2);
      }
    }
  }
  EXPECT_TRUE(y.equal(expected));
  testing::expect_close(y.abs().square().sum(), x.abs().square().sum(), 1e-14);
}

TEST(PortArrayTest, WrongInput) {
  EXPECT_SAYS(PortArray(PortArrayOptions({2, 0}, {8, 8})), "ports");
  EXPECT_SAYS(PortArray(PortArrayOptions({2, 2}, {8})), "window");
  EXPECT_SAYS(PortArray(PortArrayOptions({9, 2}, {8, 8})), "pitch");
  EXPECT_SAYS(PortArray(PortArrayOptions({2, 2}, {8, 8}).pitch(5)), "0 (as much as fits) to 4");
  EXPECT_SAYS(PortArray(PortArrayOptions({2, 2}, {8, 8}).side(5)), "side: expected 1 to the pitch, 4");
  EXPECT_SAYS(
      PortArray(PortArrayOptions({2, 2}, {8, 8}))->forward(torch::zeros({1, 5}, torch::kComplexFloat)),
      "[batch, 4]");
}

}  // namespace
}  // namespace optotorch
