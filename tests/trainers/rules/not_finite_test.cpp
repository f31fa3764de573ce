#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <support/errors.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/container/functional.h>

#include <limits>

namespace optotorch {
namespace {

namespace F = torch::nn::functional;

/// What back-propagation says of a network that divides by the light of a sample.
std::string said_of(const torch::Tensor& x, double scale = 1) {
  Hybrid net(Modulator(4), MziMesh(4), Photodetector(),
             torch::nn::Functional(
                 [scale](const torch::Tensor& i) { return scale * i / i.sum(1, /*keepdim=*/true); }));
  BackPropagation rule;
  return testing::error_of([&] {
    rule.step(*net, x, torch::zeros({x.size(0), 4}),
              [](const torch::Tensor& y, const torch::Tensor& target) { return F::mse_loss(y, target); });
  });
}

TEST(NotFiniteTest, SaysThatDetectorsAreDark) {
  auto x = torch::rand({3, 4});
  x[2].zero_();
  const auto said = said_of(x);
  EXPECT_NE(said.find("Sample 2 is dark in front of layer 3 (torch::nn::Functional"), std::string::npos)
      << said;
  EXPECT_EQ(said.find("learning rate"), std::string::npos) << said;
}

TEST(NotFiniteTest, SaysThatTheInputIsNotFinite) {
  auto x = torch::rand({3, 4});
  x[1][1] = std::numeric_limits<float>::quiet_NaN();
  const auto said = said_of(x);
  EXPECT_NE(said.find("NaN or infinity in the input"), std::string::npos) << said;
}

TEST(NotFiniteTest, NamesTheLayerOtherwise) {
  const auto said = said_of(torch::rand({3, 4}), std::numeric_limits<double>::infinity());
  EXPECT_NE(said.find("in layer 3"), std::string::npos) << said;
  EXPECT_NE(said.find("lower the learning rate"), std::string::npos) << said;
}

}  // namespace
}  // namespace optotorch
