// Errors of a layer in a network say where it stands.

#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <support/errors.h>
#include <torch/nn/modules/linear.h>

namespace optotorch {
namespace {

TEST(AtLayerTest, OurErrorsBeginWithThePosition) {
  Hybrid net(Modulator(8), MziMesh(8), MziMesh(6));
  const auto x = torch::rand({3, 8});
  const auto wanted = "layer 2 (MziMesh): input: expected a complex field [batch, 6]";
  EXPECT_EQ(testing::error_of([&] { net->forward(x); }).find(wanted), 0U);
  EXPECT_EQ(testing::error_of([&] { net->propagate(x); }).find(wanted), 0U);
  EXPECT_SAYS(net->forward(torch::zeros({3, 8}, torch::kComplexFloat)), "layer 0 (Modulator): ");
}

TEST(AtLayerTest, LibTorchsErrorsKeepTheirTypeAndGetThePosition) {
  Hybrid net(torch::nn::Linear(8, 5), torch::nn::Linear(6, 2));
  const auto said = testing::error_of([&] { net->forward(torch::rand({3, 8})); });
  EXPECT_NE(said.find("mat1 and mat2"), std::string::npos) << said;
  EXPECT_NE(said.find("layer 1 (" + net->layer(1).name() + ")"), std::string::npos) << said;
  EXPECT_THROW(net->forward(torch::Tensor()), c10::ValueError);
}

TEST(AtLayerTest, SignalsAreMetByTheSameWords) {
  Hybrid net(Modulator(8), MziMesh(8), Photodetector());
  const auto passes = net->propagate(torch::rand({3, 8}));
  EXPECT_SAYS(net->update(net->blocks().back(), passes, torch::rand({3, 5}), &Layer::pullback),
              "layer 2 (Photodetector): ");
}

}  // namespace
}  // namespace optotorch
