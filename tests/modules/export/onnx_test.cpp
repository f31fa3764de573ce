// What export_onnx writes and refuses; tests/python/onnx_test.py runs the models.

#include <gtest/gtest.h>
#include <optotorch/modules/export/onnx.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

namespace optotorch {
namespace {

Hybrid small_network() {
  torch::manual_seed(1);
  return Hybrid(torch::nn::Linear(4, 6), torch::nn::Tanh(), torch::nn::Linear(6, 3));
}

TEST(OnnxTest, IsTheSameFileEveryTime) {
  const testing::TemporaryFolder folder;
  auto net = small_network();
  const auto example = torch::rand({2, 4});
  export_onnx(net, example, folder.path() + "/one.onnx");
  export_onnx(net, torch::rand({5, 4}), folder.path() + "/other.onnx");  // whatever the example's batch
  const auto text = testing::contents_of(folder.path() + "/one.onnx");
  EXPECT_EQ(text, testing::contents_of(folder.path() + "/other.onnx"));
  EXPECT_EQ(text.substr(0, 2), "\x08\x08");  // ir_version 8
  for (const char* word : {"OptoTorch", "layer0.weight", "layer2.bias", "input", "output", "batch", "Tanh"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word;
  }
}

TEST(OnnxTest, LeavesTheNetworkAsItWas) {
  const testing::TemporaryFolder folder;
  Hybrid net(MziMesh(4), Photodetector(PhotodetectorOptions().thermal_noise(0.1)));
  net->train();
  const auto before = net->parameters().front().detach().clone();
  export_onnx(net, torch::rand({2, 4}, torch::kComplexFloat), folder.path() + "/model.onnx");
  EXPECT_TRUE(net->is_training());
  EXPECT_TRUE(net->parameters().front().requires_grad());
  EXPECT_TRUE(net->parameters().front().equal(before));
}

TEST(OnnxTest, NamesLayerAndOperatorThatHaveNoCounterpart) {
  const testing::TemporaryFolder folder;
  const auto path = folder.path() + "/model.onnx";
  Hybrid net(torch::nn::Linear(4, 6), torch::nn::Softshrink());
  const auto said = testing::error_of([&] { export_onnx(net, torch::rand({2, 4}), path); });
  EXPECT_NE(said.find("layer 1"), std::string::npos) << said;
  EXPECT_NE(said.find("softshrink"), std::string::npos) << said;
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(OnnxTest, RejectsWhatItCannotWrite) {
  const testing::TemporaryFolder folder;
  auto net = small_network();
  const auto path = folder.path() + "/model.onnx";
  EXPECT_SAYS((export_onnx(net, torch::rand({2, 5}), path), 0), "4");
  EXPECT_SAYS((export_onnx(net, torch::Tensor(), path), 0), "example: expected [batch, ...]");
  EXPECT_SAYS((export_onnx(net, torch::rand({0, 4}), path), 0), "example: expected [batch, ...]");
  EXPECT_SAYS((export_onnx(Hybrid(), torch::rand({2, 4}), path), 0), "at least one layer");
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_SAYS((export_onnx(net, torch::rand({2, 4}), folder.path() + "/absent/model.onnx"), 0), "absent");
}

}  // namespace
}  // namespace optotorch
