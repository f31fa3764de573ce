// Networks as values: what is built from a description is the network that was described.

#include <gtest/gtest.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/weights.h>
#include <support/errors.h>
#include <support/layer_cases.h>
#include <support/layer_test.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/container/sequential.h>

#include <cmath>

namespace optotorch {
namespace {

using testing::LayerCase;

class DescribeTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(DescribeTest, WhatIsBuiltIsWhatWasDescribed) {
  const auto& row = GetParam();
  Hybrid net;
  net->push_back(row.make());
  if (row.measures) {
    EXPECT_SAYS(describe(*net), "layers[0]: expected a layer or module whose type is registered");
    return;
  }
  if (std::dynamic_pointer_cast<ElectronicBlock>(row.make()) != nullptr) {
    try {
      describe(*net);
    } catch (const c10::ValueError& error) {  // modules of the tests
      EXPECT_NE(std::string(error.what()).find("register_part"), std::string::npos) << error.what();
      return;
    }
  }
  const auto text = describe(*net);
  auto built = build(text);
  EXPECT_EQ(describe(*built), text);
  load_weights(*built, weights_of(*net));
  const auto x = testing::random_batch(row, 3, torch::kFloat32);
  for (const bool training : {true, false}) {
    net->train(training);
    built->train(training);
    torch::manual_seed(1);
    const auto y = net->forward(x);
    torch::manual_seed(1);
    EXPECT_TRUE(built->forward(x).equal(y)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(All, DescribeTest, ::testing::ValuesIn(testing::layer_cases()), testing::row_name);

std::string network_text(const std::string& layers) {
  return R"({"format": "optotorch-network-1", "layers": )" + layers + "}";
}

TEST(DescribeTest, NestsAndKeepsNames) {
  Hybrid net;
  net->push_back("lens", Modulator(ModulatorOptions(4).encoding(Encoding::phase)));
  net->push_back("optics", Hybrid(MziMesh(4), Photodetector()));
  net->push_back("head",
                 torch::nn::Sequential(torch::nn::Linear(4, 3), torch::nn::Tanh(), torch::nn::Linear(3, 2)));
  const auto text = describe(*net);
  auto built = build(text);
  EXPECT_EQ(describe(*built), text);
  EXPECT_EQ(built->size(), net->size());
  const auto own = weights_of(*net), others = weights_of(*built);
  ASSERT_EQ(own.size(), others.size());
  for (const auto& [name, tensor] : own) {
    ASSERT_TRUE(others.contains(name)) << name;
    EXPECT_EQ(others.at(name).sizes(), tensor.sizes());
  }
  EXPECT_TRUE(others.contains("head.2.weight"));
}

TEST(DescribeTest, OptionsThatAreLeftOutHaveTheirDefaults) {
  auto net = build(network_text(R"([{"type": "Modulator", "ports": 8}, {"type": "MziMesh", "ports": 8},
                                     {"type": "Photodetector", "detection": "amplitude"},
                                     {"type": "Linear", "in_features": 8, "out_features": 3, "initial": "zero"}])"));
  EXPECT_EQ(dynamic_cast<MziMeshImpl&>(net->layer(1)).layout().columns, 8);
  const auto y = net->forward(torch::rand({2, 8}));
  EXPECT_TRUE(y.equal(torch::zeros({2, 3})));
}

TEST(DescribeTest, WordsForInitialValues) {
  torch::manual_seed(3);
  const auto weight = [](const std::string& word) {
    auto net = build(network_text(
        R"([{"type": "Linear", "in_features": 300, "out_features": 200, "initial": ")" + word + "\"}]"));
    EXPECT_EQ(net->named_parameters()["0.bias"].abs().max().item<double>(), 0);
    return net->named_parameters()["0.weight"].detach();
  };
  EXPECT_NEAR(weight("normal").std().item<double>(), 1 / std::sqrt(300.), 1e-3);
  EXPECT_NEAR(weight("glorot").abs().max().item<double>(), std::sqrt(6. / 500), 1e-4);
  EXPECT_NEAR(weight("he").abs().max().item<double>(), std::sqrt(6. / 300), 1e-4);
}

TEST(DescribeTest, WholeNumbersMayBeProductsOfNames) {
  const Sizes sizes{{"channels", 3}, {"height", 30}, {"width", 9}};
  const auto inputs = [&](const std::string& text) {
    const auto net = build(
        network_text(R"([{"type": "Linear", "in_features": ")" + text + R"(", "out_features": 1}])"), sizes);
    return net->parameters().front().size(1);
  };
  EXPECT_EQ(inputs("channels"), 3);
  EXPECT_EQ(inputs("9*channels"), 27);
  EXPECT_EQ(inputs("height/4"), 7);
  EXPECT_EQ(inputs("2*height/4*width/4"), 28);  // 2 (30 / 4) (9 / 4), each rounded down
  for (const char* wrong : {"", "4", "chanels", "channels*", "*channels", "channels**2", "channels*-1",
                            "channels/0", "channels+1", " channels", "9223372036854775807*channels"}) {
    EXPECT_SAYS(inputs(wrong),
                "layers[0].in_features: expected a whole number, or 'channels', 'height', 'width'");
  }
}

TEST(DescribeTest, WrongDescriptionsNameThePlace) {
  const auto of = [](const std::string& layers) { return build(network_text(layers)); };
  EXPECT_SAYS(of(R"([{"type": "MziMehs", "ports": 4}])"),
              "layers[0].type: expected a type that is registered, got 'MziMehs'. Did you mean 'MziMesh'?");
  EXPECT_SAYS(of(R"([{"type": "MziMesh", "port": 4}])"), "layers[0]: expected 'ports', which has no default");
  EXPECT_SAYS(of(R"([{"type": "MziMesh", "ports": 4, "collumns": 4}])"),
              "got 'collumns'. Did you mean 'columns'?");
  EXPECT_SAYS(of(R"([{"type": "MziMesh", "ports": "4"}])"), "layers[0].ports: expected a whole number");
  EXPECT_SAYS(of(R"([{"type": "MziMesh", "ports": 18446744073709551615}])"),
              "layers[0].ports: expected a whole number");
  EXPECT_SAYS(of(R"([{"type": "MziMesh", "ports": 1}])"),
              "layers[0]: expected options that fit, got MziMesh");
  EXPECT_SAYS(
      of(R"([{"type": "MziMesh", "ports": 4, "grid": "triangula"}])"),
      "layers[0].grid: expected one of rectangular, triangular, got 'triangula'. Did you mean 'triangular'?");
  EXPECT_SAYS(of(R"([{"type": "Photodetector", "shot_noise": true}])"),
              "layers[0].shot_noise: expected a number");
  EXPECT_SAYS(of(R"([{"type": "Hybrid", "layers": [{"type": "Tanh"}, {"type": "Tan"}]}])"),
              "layers[0].layers[1].type");
  EXPECT_SAYS(of(R"([{"type": "ImageSlices", "height": 4, "width": 4, "sets": [{"kind": "column"}]}])"),
              "layers[0].sets[0].kind");
  EXPECT_SAYS(of(R"([{"type": "Linear", "in_features": 2, "out_features": 2, "initial": "one"}])"),
              "layers[0].initial");
  EXPECT_SAYS(of(R"([{"type": "Tanh", "initial": "zero"}])"), "layers[0].initial");
  EXPECT_SAYS(of(R"([7])"), "layers[0]: expected a JSON object");
  EXPECT_SAYS(of("{}"), "expected a list 'layers'");
  EXPECT_SAYS(build("[]"), "network: expected a JSON object");
  EXPECT_SAYS(build(R"({"layers": []})"), "format");
  EXPECT_SAYS(build("nonsense"), "a description of a network");
  EXPECT_SAYS(of(R"([{"type": "Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": [3]}])"),
              "layers[0]");
  Hybrid net(torch::nn::Functional([](const torch::Tensor& x) { return x; }));
  EXPECT_SAYS(describe(*net), "layers[0]");
}

/// A layer of a user's own.
struct OffsetByOptions {
  TORCH_ARG(double, by) = 1;

 public:
  void fields(FieldVisitor& visit) { visit("by", by_); }
};
class OffsetByImpl : public CloneableLayer<OffsetByImpl, ResponseLayer> {
 public:
  explicit OffsetByImpl(OffsetByOptions options_) : CloneableLayer("Offset"), options(options_) {}
  OffsetByOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override {}
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override { return x + options.by(); }
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override {
    return dL_dy;
  }
};

TEST(DescribeTest, ALayerOfOnesOwnIsALine) {
  register_part(part_type<OffsetByImpl>("Offset", OffsetByOptions()));
  auto net = build(network_text(R"([{"type": "Offset", "by": 2.5}])"));
  EXPECT_EQ(net->forward(torch::zeros({1, 1})).item<double>(), 2.5);
  EXPECT_EQ(describe(*build(describe(*net))), describe(*net));
  EXPECT_SAYS(register_part(part_type<OffsetByImpl>("Offset", OffsetByOptions())), "'Offset'");
  EXPECT_SAYS(register_part(part_type<OffsetByImpl>("Other", OffsetByOptions())), "that of 'Offset'");
  EXPECT_SAYS(register_part(part_type<OffsetByImpl>("Hybrid", OffsetByOptions())), "'Hybrid'");
}

}  // namespace
}  // namespace optotorch
