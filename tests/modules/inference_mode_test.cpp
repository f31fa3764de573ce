// c10::InferenceMode, in which LibTorch's users serve their networks.

#include <c10/core/InferenceMode.h>
#include <optotorch/modules/export/torchscript.h>
#include <support/errors.h>
#include <support/layer_test.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/modules/activation.h>

namespace optotorch {
namespace {

class InferenceModeTest : public testing::LayerTest {};

TEST_P(InferenceModeTest, ForwardHasTheSameBits) {
  Hybrid net;
  net->push_back(layer);
  for (const bool training : {false, true}) {
    net->train(training);
    const auto expected = net->forward(x);
    const c10::InferenceMode guard;
    EXPECT_TRUE(net->forward(x).equal(expected));
    EXPECT_TRUE(net->forward(x.clone()).equal(expected)) << "its own tensors";
    EXPECT_TRUE(net->propagate(x.clone(), 0, Keep::nothing).back().output.defined());
  }
  net->eval();
  const auto expected = net->forward(x);
  torch::Tensor made_inside;
  {
    const c10::InferenceMode guard;
    made_inside = x.clone();
  }
  EXPECT_TRUE(net->forward(made_inside).equal(expected));
}

INSTANTIATE_TEST_SUITE_P(All, InferenceModeTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

TEST(InferenceModeTest, AGraphIsRefused) {
  Hybrid net(torch::nn::Linear(3, 2));
  const c10::InferenceMode guard;
  EXPECT_SAYS(net->propagate(torch::rand({2, 3})), "c10::InferenceMode");
}

TEST(InferenceModeTest, ExportsTheSameFile) {
  torch::manual_seed(3);
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/model.pt";
  Hybrid net(MziMesh(4), Photodetector(), torch::nn::Linear(4, 3), torch::nn::ReLU());
  net->eval();
  const auto x = torch::randn({2, 4}, torch::kComplexFloat);
  const auto expected = net->forward(x);
  {
    const c10::InferenceMode guard;
    EXPECT_EQ(export_torchscript(net, x.clone(), path), 0);
  }
  EXPECT_TRUE(torch::jit::load(path).forward({x}).toTensor().equal(expected));
}

}  // namespace
}  // namespace optotorch
