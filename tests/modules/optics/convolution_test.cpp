#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/block_diagonal.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/modules/optics/linear_map.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/phase_screen.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

namespace optotorch {
namespace {

using testing::expect_close;

struct Geometry {
  std::string name;
  std::vector<int64_t> kernel, stride, padding, dilation;
};

ConvolutionOptions with(std::shared_ptr<Layer> component, const Geometry& g) {
  return ConvolutionOptions(std::move(component), at::IntArrayRef(g.kernel))
      .stride(at::IntArrayRef(g.stride))
      .padding(at::IntArrayRef(g.padding))
      .dilation(at::IntArrayRef(g.dilation));
}

class ConvolutionGeometry : public ::testing::TestWithParam<Geometry> {
 protected:
  static constexpr int64_t channels = 3, outputs = 4;
  int64_t inputs() const { return channels * GetParam().kernel[0] * GetParam().kernel[1]; }

  at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const {
    const auto& g = GetParam();
    return at::conv2d(x, weight.reshape({outputs, channels, g.kernel[0], g.kernel[1]}), bias, g.stride,
                      g.padding, g.dilation);
  }
};

TEST_P(ConvolutionGeometry, OfAWeightBankIsConv2d) {
  torch::manual_seed(1);
  WeightBank bank(WeightBankOptions(inputs(), outputs).gain(1.5));
  Convolution layer(with(bank.ptr(), GetParam()));
  layer->to(torch::kFloat64);
  const auto x = torch::randn({2, channels, 9, 8}, torch::kFloat64);
  const auto wanted = conv2d(x, bank->weight() * 1.5, bank->bias.detach());
  expect_close(layer->forward(x), wanted, 1e-12);
  layer->eval();
  expect_close(layer->forward(x), wanted, 1e-12);
  EXPECT_EQ(layer->deploy().tensors.size(), 2u);
}

TEST_P(ConvolutionGeometry, OfMeshesIsConv2dOfTheirMatrix) {
  torch::manual_seed(2);
  MziLinear linear(inputs(), outputs);
  Convolution layer(with(linear.ptr(), GetParam()));
  layer->to(torch::kFloat64);
  const auto x = torch::randn({2, channels, 9, 8}, torch::kComplexDouble);
  const auto wanted = conv2d(x, linear->matrix(), {});
  expect_close(layer->forward(x), wanted, 1e-12);
  layer->eval();
  expect_close(layer->forward(x), wanted, 1e-12);
}

TEST_P(ConvolutionGeometry, PullsBackAsAutogradDoes) {
  torch::manual_seed(3);
  WeightBank bank(WeightBankOptions(inputs(), outputs));
  Convolution layer(with(bank.ptr(), GetParam()));
  layer->to(torch::kFloat64);
  const auto x = torch::randn({2, channels, 9, 8}, torch::kFloat64);
  const auto pass = layer->propagate(x);
  const auto signal = torch::randn_like(pass.output);
  const auto dL_dx = layer->pullback(pass, signal);

  const auto detuning = bank->detuning.detach().clone().requires_grad_();
  const auto bias = bank->bias.detach().clone().requires_grad_();
  const auto input = x.clone().requires_grad_();
  const auto square = detuning.square();
  const auto y = conv2d(input, (1 - square) / (1 + square), bias);
  y.backward(signal);
  expect_close(dL_dx, input.grad(), 1e-12);
  expect_close(bank->detuning.grad(), detuning.grad(), 1e-12);
  expect_close(bank->bias.grad(), bias.grad(), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Convolution, ConvolutionGeometry,
                         ::testing::Values(Geometry{"Plain", {3, 3}, {1, 1}, {0, 0}, {1, 1}},
                                           Geometry{"Padded", {3, 3}, {1, 1}, {1, 1}, {1, 1}},
                                           Geometry{"Strided", {2, 3}, {2, 3}, {1, 0}, {1, 1}},
                                           Geometry{"Dilated", {3, 2}, {1, 2}, {2, 3}, {3, 2}},
                                           Geometry{"Pixel", {1, 1}, {1, 1}, {0, 0}, {1, 1}},
                                           Geometry{"Whole", {9, 8}, {5, 5}, {0, 0}, {1, 1}}),
                         [](const auto& info) { return info.param.name; });

TEST(Convolution, OfABlockDiagonalIsDepthwise) {
  torch::manual_seed(4);
  std::vector<WeightBank> banks;
  std::vector<DiagonalBlock> blocks;
  std::vector<at::Tensor> weights;
  for (int i = 0; i < 3; ++i) {
    banks.emplace_back(WeightBankOptions(4, 2).bias(false));
    blocks.push_back({banks.back().ptr(), {4}});
  }
  Convolution layer(ConvolutionOptions(BlockDiagonal(blocks).ptr(), 2).stride(2));
  layer->to(torch::kFloat64);
  for (const auto& bank : banks) {
    weights.push_back(bank->weight().reshape({2, 1, 2, 2}));
  }
  const auto x = torch::randn({5, 3, 6, 4}, torch::kFloat64);
  const std::vector<int64_t> stride{2, 2}, padding{0, 0}, dilation{1, 1};
  const auto wanted = at::conv2d(x, at::cat(weights), at::Tensor(), stride, padding, dilation, /*groups=*/3);
  expect_close(layer->forward(x), wanted, 1e-12);
  layer->eval();
  expect_close(layer->forward(x), wanted, 1e-12);
}

TEST(Convolution, TakesAnyLinearComponent) {
  torch::manual_seed(5);
  LinearMap map(LinearMapOptions(8, 3).maps(Maps::mzi_linear));
  Convolution layer(std::make_shared<ElectronicBlock>(torch::nn::AnyModule(map)), 2);
  layer->to(torch::kFloat64);
  const auto x = torch::randn({2, 2, 4, 4}, torch::kFloat64);
  const auto weight = map->forward(torch::eye(8, torch::kFloat64)).detach() - map->bias.detach();
  expect_close(layer->forward(x), at::conv2d(x, weight.t().reshape({3, 2, 2, 2}), map->bias.detach()), 1e-12);
  EXPECT_FALSE(layer->deploy().weight.defined());
}

/// A file of it serves any batch, whether conv2d or patch by patch.
TEST(Convolution, IsExported) {
  const testing::TemporaryFolder folder;
  torch::manual_seed(6);
  const auto check = [&folder](const std::string& name, Hybrid net, const at::Tensor& x) {
    net->eval();
    const auto path = folder.path() + "/" + name;
    export_torchscript(*net, x, path);
    auto file = torch::jit::load(path);
    for (const int64_t batch : {1, 2, 5}) {
      const auto some = at::cat({x, x, x}).narrow(0, 0, batch);
      EXPECT_TRUE(file.forward({some}).toTensor().equal(net->forward(some))) << name << " " << batch;
    }
  };
  check("bank.pt", Hybrid(Convolution(ConvolutionOptions(WeightBank(18, 4).ptr(), 3).padding(1))),
        torch::randn({2, 2, 6, 5}));
  check("mesh.pt", Hybrid(Convolution(MziMesh(8).ptr(), 2), Photodetector()),
        torch::randn({2, 2, 4, 4}, torch::kComplexFloat));
  check("depthwise.pt",
        Hybrid(Convolution(BlockDiagonal(std::vector<DiagonalBlock>{{WeightBank(4, 1).ptr(), {4}},
                                                                    {WeightBank(4, 1).ptr(), {4}}})
                               .ptr(),
                           2)),
        torch::randn({2, 2, 4, 4}));
}

TEST(Convolution, IsDescribed) {
  const Hybrid net(
      Convolution(ConvolutionOptions(WeightBank(18, 4).ptr(), {3, 3}).padding({1, 2}).stride(2)));
  const auto text = describe(*net);
  EXPECT_EQ(describe(*build(text)), text);
  EXPECT_SAYS(
      build(R"({"format": "optotorch-network-1", "layers": [{"type": "Convolution", "kernel_size": [3],
      "component": {"type": "WeightBank", "in_features": 9, "out_features": 2}}]})"),
      "two numbers");
}

TEST(Convolution, RefusesWhatDoesNotFit) {
  const auto bank = WeightBank(18, 4).ptr();
  EXPECT_SAYS(Convolution(nullptr, 3), "a linear component, got nothing");
  EXPECT_SAYS(Convolution(Photodetector().ptr(), 3), "a linear component, got Photodetector");
  EXPECT_SAYS(Convolution(bank, 0), "kernel_size: expected 1 to 2^20 - 1, got 0");
  EXPECT_SAYS(Convolution(ConvolutionOptions(bank, 3).stride(0)), "stride: expected 1 to");
  EXPECT_SAYS(Convolution(ConvolutionOptions(bank, 3).padding(-1)), "padding: expected 0 to");
  EXPECT_SAYS(Convolution(ConvolutionOptions(bank, 3).dilation(int64_t{1} << 40)), "dilation: expected 1 to");

  Convolution layer(ConvolutionOptions(bank, 3).dilation(2));
  EXPECT_SAYS(layer->forward(torch::zeros({2, 18})), "images [batch, channels, height, width]");
  EXPECT_SAYS(layer->forward(torch::zeros({1, 2, 5, 4})), "no smaller than the kernel, 5 x 5");
  EXPECT_SAYS(layer->forward(torch::zeros({1, 3, 5, 5})),
              "WeightBank: input: expected real values [batch, 18]");
  EXPECT_SAYS(layer->forward(torch::zeros({1, 2, 5, 5}, torch::kComplexFloat)), "A Photodetector turns");
  const auto pass = layer->propagate(torch::zeros({1, 2, 5, 5}), Keep::nothing);
  EXPECT_SAYS(layer->tpfp_update(pass, torch::zeros({1, 4, 1, 1}), false), "a pass that kept its context");
  EXPECT_SAYS(layer->tpfp_update(pass, torch::zeros({1, 4}), false), "the shape of the output");
}

TEST(Convolution, CloneIsOfItsOwn) {
  Convolution layer(WeightBank(4, 2).ptr(), 2);
  const auto copy = std::dynamic_pointer_cast<ConvolutionImpl>(layer->clone());
  const auto x = torch::randn({1, 1, 3, 3});
  EXPECT_TRUE(copy->forward(x).equal(layer->forward(x)));
  const torch::NoGradGuard no_grad;
  copy->named_parameters()["component.detuning"].add_(1);
  EXPECT_FALSE(copy->forward(x).equal(layer->forward(x)));
}

TEST(Convolution, CountsItsComponentOnce) {
  EXPECT_EQ(Convolution(WeightBank(18, 4).ptr(), 3)->footprint(), WeightBank(18, 4)->footprint());
}

}  // namespace
}  // namespace optotorch
