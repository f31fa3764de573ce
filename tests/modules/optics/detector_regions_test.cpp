#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/detector_regions.h>
#include <support/differences.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::expect_close;

TEST(DetectorRegionsTest, StandInRows) {
  DetectorRegions layer(DetectorRegionsOptions({100, 200}));
  const auto& regions = layer->regions();
  ASSERT_EQ(regions.size(), 10);
  const auto expect = [&](size_t n, int64_t row, int64_t column) {
    EXPECT_NEAR(static_cast<double>(regions[n][0]) + 5.5, static_cast<double>(row), 1) << n;
    EXPECT_NEAR(static_cast<double>(regions[n][1]) + 5.5, static_cast<double>(column), 1) << n;
    EXPECT_EQ(regions[n][2], 11);
  };
  expect(0, 17, 33);  // 3-4-3
  expect(2, 17, 167);
  expect(3, 50, 25);
  expect(6, 50, 175);
  expect(9, 83, 167);
  DetectorRegions pairs(DetectorRegionsOptions({100, 100}).pairs(true));
  EXPECT_EQ(pairs->regions().size(), 20);
  DetectorRegions written(DetectorRegionsOptions({40, 40}).classes(6).layout("1-2-3"));
  EXPECT_EQ(written->regions()[0][1], written->regions()[4][1]);
}

TEST(DetectorRegionsTest, ScoresAreParts) {
  torch::manual_seed(1);
  DetectorRegions layer(DetectorRegionsOptions({30, 30}).classes(4).scale(8));
  const auto x = torch::rand({3, 2, 30, 30}, torch::kFloat64);
  auto light = torch::zeros({3, 4}, torch::kFloat64);
  for (int64_t k = 0; k < 4; ++k) {
    const auto& [top, left, side] = layer->regions()[static_cast<size_t>(k)];
    for (int64_t i = top; i < top + side; ++i) {
      for (int64_t j = left; j < left + side; ++j) {
        light.select(1, k) += x.select(3, j).select(2, i).sum(1);
      }
    }
  }
  expect_close(layer->forward(x), 8 * light / light.sum(1, true), 1e-13);
  expect_close(layer->forward(x * 1e-9), layer->forward(x), 1e-13);
  DetectorRegions pairs(DetectorRegionsOptions({30, 30}).classes(2).pairs(true).scale(8));
  const auto a = light.narrow(1, 0, 2), b = light.narrow(1, 2, 2);
  expect_close(pairs->forward(x), 8 * (a - b) / (a + b), 1e-13);
}

TEST(DetectorRegionsTest, DarknessHasNoScore) {
  for (const bool pairs : {false, true}) {
    DetectorRegions layer(DetectorRegionsOptions({30, 30}).classes(3).pairs(pairs));
    const auto x = torch::zeros({2, 1, 30, 30}, torch::kFloat64);
    const auto pass = layer->propagate(x);
    EXPECT_TRUE(pass.output.eq(0).all().item<bool>());
    EXPECT_TRUE(layer->pullback(pass, torch::ones({2, 3}, torch::kFloat64)).isfinite().all().item<bool>());
  }
}

TEST(DetectorRegionsTest, WrongInput) {
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({30, 30}).layout("3-4")), "layout: expected numbers");
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({30, 30}).layout("3-4-3-")), "layout");
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({30, 30}).layout("x")), "layout");
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({30, 30}).layout("10").pairs(true)), "two regions");
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({30, 30}).side(.3)), "side");
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({4, 4})), "side");
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({30, 30}).side(0)), "side");
  EXPECT_SAYS(DetectorRegions(DetectorRegionsOptions({30, 30}).classes(0)), "classes");
  DetectorRegions layer(DetectorRegionsOptions({30, 30}));
  EXPECT_SAYS(layer->forward(torch::zeros({1, 1, 30, 29})), "[batch, planes, 30, 30]");
  EXPECT_SAYS(layer->forward(torch::zeros({1, 1, 30, 30}, torch::kComplexFloat)), "Camera");
}

}  // namespace
}  // namespace optotorch
