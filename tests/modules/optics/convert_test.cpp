#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/convert.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/differences.h>
#include <support/errors.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

namespace optotorch {
namespace {

using testing::expect_close;
using torch::nn::Conv2dOptions;

/// Stride, dilation, groups, padding in numbers and in words, with biases and without.
torch::nn::Sequential electronic_network() {
  torch::manual_seed(1);
  torch::nn::Sequential net(
      torch::nn::Conv2d(Conv2dOptions(2, 4, {3, 2}).stride({1, 2}).padding({2, 1}).dilation({2, 1})),
      torch::nn::BatchNorm2d(4), torch::nn::ReLU(),
      torch::nn::Conv2d(Conv2dOptions(4, 6, 3).groups(2).padding(torch::kSame).bias(false)),
      torch::nn::ReLU(), torch::nn::Conv2d(Conv2dOptions(6, 3, 2).padding(torch::kValid)),
      torch::nn::MaxPool2d(2), torch::nn::Flatten(), torch::nn::Linear(3 * 3 * 2, 7), torch::nn::Tanh(),
      torch::nn::Linear(torch::nn::LinearOptions(7, 5).bias(false)));
  net->to(torch::kFloat64);
  return net;
}

torch::Tensor images() {
  return torch::randn({3, 2, 8, 10}, torch::kFloat64);
}

class ConvertEveryKind : public ::testing::TestWithParam<Maps> {};

TEST_P(ConvertEveryKind, ComputesTheSame) {
  auto net = electronic_network();
  const auto x = images();
  for (const bool training : {false, true}) {
    net->train(training);
    auto optical = to_optical(net, GetParam());
    EXPECT_EQ(optical->is_training(), training);
    const auto before = net->forward(x).detach();  // a norm moves its statistics as its copy does
    const torch::NoGradGuard no_grad;
    expect_close(optical->forward(x), before, 1e-9);
  }
}

TEST_P(ConvertEveryKind, ComesBackWithTheSameWeights) {
  auto net = electronic_network();
  net->eval();
  auto back = to_electronic(to_optical(net, GetParam()));
  const auto there = back->named_parameters();
  const auto here = net->named_parameters();
  ASSERT_EQ(there.size(), here.size());
  for (const auto& item : here) {
    expect_close(there[item.key()].detach(), item.value().detach(), 1e-9);
  }
  const torch::NoGradGuard no_grad;
  const auto x = images();
  expect_close(back->forward(x), net->forward(x), 1e-9);
}

TEST_P(ConvertEveryKind, ResultIsDescribed) {
  const ToOpticalOptions padded_in_words =
      ToOpticalOptions(GetParam()).layers({{"3", Maps::weight_bank}, {"5", Maps::weight_bank}});
  const auto optical = to_optical(electronic_network(), padded_in_words);
  const auto text = describe(*optical);
  EXPECT_EQ(describe(*build(text)), text);
}

INSTANTIATE_TEST_SUITE_P(Convert, ConvertEveryKind,
                         ::testing::Values(Maps::electronic, Maps::weight_bank, Maps::mzi_linear),
                         [](const auto& info) { return to_string(info.param); });

TEST(Convert, LayerByLayerAsTheMapSays) {
  const auto net = electronic_network();
  auto optical = to_optical(
      net, ToOpticalOptions(Maps::electronic).layers({{"0", Maps::weight_bank}, {"8", Maps::mzi_linear}}));
  EXPECT_NE(dynamic_cast<ConvolutionImpl*>(&optical->layer(0)), nullptr);
  EXPECT_EQ(optical->layer(3).name(), "torch::nn::Conv2dImpl");
  EXPECT_EQ(optical->layer(8).name(), "LinearMap");
  EXPECT_EQ(optical->layer(10).name(), "torch::nn::LinearImpl");
  EXPECT_SAYS(to_optical(net, ToOpticalOptions().layers({{"11", Maps::electronic}})),
              "names of linear maps: 0, 3, 5, 8, 10, got 11");
}

TEST(Convert, NestedNetworksKeepTheirNames) {
  torch::manual_seed(2);
  Hybrid features;
  features->push_back("conv", torch::nn::Conv2d(Conv2dOptions(1, 2, 3)));
  features->push_back("relu", torch::nn::ReLU());
  Hybrid net;
  net->push_back("features", features);
  net->push_back("flat", torch::nn::Flatten());
  net->push_back("head", torch::nn::Sequential(torch::nn::Linear(8, 4), torch::nn::ReLU()));
  net->push_back("mesh", WeightBank(4, 3));
  auto optical = to_optical(net, ToOpticalOptions(Maps::weight_bank).layers({{"head.0", Maps::electronic}}));
  const auto names = optical->named_parameters().keys();
  EXPECT_EQ(names,
            (std::vector<std::string>{"features.conv.component.detuning", "features.conv.component.bias",
                                      "head.0.weight", "head.0.bias", "mesh.detuning", "mesh.bias"}));
  const auto x = torch::randn({2, 1, 4, 4});
  const torch::NoGradGuard no_grad;
  expect_close(optical->forward(x), net->forward(x), 1e-5);
}

TEST(Convert, OriginalIsUntouchedAndCopiesAreOfTheirOwn) {
  torch::nn::Sequential net(torch::nn::Linear(3, 2), torch::nn::ReLU(), torch::nn::Linear(2, 2));
  const auto before = net->parameters()[2].detach().clone();
  auto optical = to_optical(net, ToOpticalOptions(Maps::weight_bank).layers({{"2", Maps::electronic}}));
  const torch::NoGradGuard no_grad;
  optical->named_parameters()["2.weight"].add_(1);
  EXPECT_TRUE(net->parameters()[2].equal(before));
}

TEST(Convert, FrozenStaysFrozen) {
  torch::nn::Sequential net(torch::nn::Linear(3, 2), torch::nn::Linear(2, 2));
  net->parameters()[0].requires_grad_(false);  // the first weight, not its bias
  for (const auto kind : {Maps::weight_bank, Maps::mzi_linear}) {
    const auto optical = to_optical(net, kind);
    for (const auto& item : optical->named_parameters()) {
      const bool of_first_map = item.key().starts_with("0.") && item.key() != "0.bias";
      EXPECT_EQ(item.value().requires_grad(), !of_first_map) << item.key();
    }
  }
}

TEST(Convert, ZeroWeightsStayZero) {
  torch::nn::Sequential net(torch::nn::Linear(3, 2));
  const torch::NoGradGuard no_grad;
  net->parameters()[0].zero_();
  for (const auto kind : {Maps::weight_bank, Maps::mzi_linear}) {
    expect_close(to_optical(net, kind)->forward(torch::ones({1, 3})), net->forward(torch::ones({1, 3})),
                 1e-6);
  }
}

TEST(Convert, RefusesWhatHasNoSuchForm) {
  const auto convolution = [](const Conv2dOptions& options) {
    return torch::nn::Sequential(torch::nn::Conv2d(options));
  };
  EXPECT_SAYS(to_optical(convolution(Conv2dOptions(1, 1, 3).padding_mode(torch::kReflect).padding(1))),
              "padding with zeros");
  EXPECT_SAYS(to_optical(convolution(Conv2dOptions(1, 1, 2).padding(torch::kSame))), "kernel of odd size");
  torch::nn::Sequential broken(torch::nn::Linear(2, 2));
  {
    const torch::NoGradGuard no_grad;
    broken->parameters()[0].fill_(NAN);
  }
  EXPECT_SAYS(to_optical(broken), "to_optical: 0: expected finite weights");
  EXPECT_SAYS(to_electronic(Hybrid(torch::nn::Flatten(), MziMesh(4), Photodetector())),
              "to_electronic: 1: expected a map of real values, or an electronic module, got MziMesh");
  EXPECT_SAYS(to_electronic(Hybrid(Convolution(MziMesh(4).ptr(), 2))), "got Convolution");
}

}  // namespace
}  // namespace optotorch
