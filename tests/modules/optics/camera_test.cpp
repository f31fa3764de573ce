#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/camera.h>
#include <support/differences.h>
#include <support/errors.h>

#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;

TEST(CameraTest, ReadsIntensitiesOfItsRegion) {
  torch::manual_seed(1);
  const auto z = torch::randn({2, 3, 6, 5}, torch::kComplexDouble);
  expect_close(Camera()->forward(z), z.abs().square(), 1e-14);
  Camera part(CameraOptions().region({1, 2, 4, 3}).sum_planes(true));
  expect_close(part->forward(z), z.abs().square().narrow(2, 1, 4).narrow(3, 2, 3).sum(1, true), 1e-14);
}

TEST(CameraTest, ConvertsToCodes) {
  Camera camera(CameraOptions().bits(2).full_scale(3));
  const auto amplitude = torch::tensor({0.0, .6, .8, 1.6, 5.0}, torch::kFloat64).sqrt().view({1, 1, 1, 5});
  const auto z = at::complex(amplitude, torch::zeros_like(amplitude));
  expect_close(camera->forward(z).flatten(), torch::tensor({0.0, 1.0, 1.0, 2.0, 3.0}, torch::kFloat64),
               1e-14);
  // Slope of the light where it does not saturate.
  const auto down = camera->pullback(camera->propagate(z), torch::ones({1, 1, 1, 5}, torch::kFloat64));
  expect_close(at::real(down).flatten().narrow(0, 0, 4), 2 * amplitude.flatten().narrow(0, 0, 4), 1e-14);
  EXPECT_EQ(at::real(down).flatten()[4].item<double>(), 0);
}

TEST(CameraTest, NoiseIsOfTrainingAndOfTheLight) {
  Camera camera(CameraOptions().shot_noise(.01).read_noise(.1).sum_planes(true).seed(4));
  const auto z = torch::full({1, 2, 200, 200}, 2.0, torch::kComplexDouble);
  const auto first = camera->forward(z), second = camera->forward(z);
  EXPECT_NEAR(first.mean().item<double>(), 8, .01);
  EXPECT_NEAR(first.var().item<double>(), .01 * 8 + .01, .005);
  EXPECT_FALSE(first.equal(second));
  camera->passes.zero_();
  EXPECT_TRUE(camera->forward(z).equal(first));
  camera->to(torch::kFloat32);
  EXPECT_EQ(camera->passes.scalar_type(), torch::kInt64);
  camera->eval();
  EXPECT_TRUE(camera->forward(z).eq(8).all().item<bool>());
}

TEST(CameraTest, WrongInput) {
  EXPECT_SAYS(Camera(CameraOptions().region({0, 0, 4})), "region");
  EXPECT_SAYS(Camera(CameraOptions().region({0, 0, 0, 4})), "region");
  EXPECT_SAYS(Camera(CameraOptions().region({-1, 0, 4, 4})), "region");
  EXPECT_SAYS(Camera(CameraOptions().shot_noise(-1)), "shot_noise");
  EXPECT_SAYS(Camera(CameraOptions().read_noise(std::numeric_limits<double>::infinity())), "read_noise");
  EXPECT_SAYS(Camera(CameraOptions().bits(25)), "bits");
  EXPECT_SAYS(Camera(CameraOptions().full_scale(0)), "full_scale");
  Camera camera(CameraOptions().region({2, 2, 4, 4}));
  EXPECT_SAYS(camera->forward(torch::zeros({1, 1, 6, 5}, torch::kComplexFloat)), "where the region ends");
  EXPECT_SAYS(camera->forward(torch::zeros({1, 1, 6, 6})), "input");
  EXPECT_SAYS(Camera()->forward(torch::zeros({6, 6}, torch::kComplexFloat)),
              "[batch, planes, height, width]");
}

}  // namespace
}  // namespace optotorch
