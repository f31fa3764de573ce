// Buffers, parameters and precision of an exported file, and gradients through it.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mod_relu.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/phase_screen.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/saturable_absorber.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/linear.h>

#include <fstream>
#include <iterator>
#include <map>

namespace optotorch {
namespace {

/// Every kind of optics, with constants of a module in between.
Hybrid named_network(Detection detection) {
  torch::manual_seed(3);
  const int64_t readings = detection == Detection::balanced ? 4 : detection == Detection::coherent ? 16 : 8;
  const auto factor = torch::polar(torch::ones({16}), torch::rand({16}));
  Hybrid net(
      FourierLens(4), MziMesh(16), ElectroOpticActivation(), PhaseScreen(16), SaturableAbsorber(),
      torch::nn::Functional([factor](const torch::Tensor& z) { return z * factor.to(z.scalar_type()); }),
      MziLinear(16, 8), ModRelu(ModReluOptions(8).bias(-0.1)),
      Photodetector(PhotodetectorOptions().detection(detection)), torch::nn::BatchNorm1d(readings),
      torch::nn::Linear(readings, 3));
  net->forward(torch::rand({32, 1, 12, 12}));  // moves BatchNorm's statistics
  net->eval();
  return net;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ExportedTensorsTest : public ::testing::TestWithParam<Detection> {
 protected:
  torch::jit::Module reloaded(Hybrid& net, bool trainable = false) {
    const auto type = net->parameters().front().scalar_type();
    export_torchscript(net, torch::rand({2, 1, 12, 12}, type), path_,
                       TorchScriptOptions().trainable(trainable));
    return torch::jit::load(path_);
  }

  const testing::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/model.pt";
};

TEST_P(ExportedTensorsTest, GradientsAreDerivativesAtEveryCall) {
  auto net = named_network(GetParam());
  net->to(torch::kDouble);
  auto module = reloaded(net);
  const auto x = torch::rand({3, 1, 12, 12}, torch::kDouble), direction = torch::randn_like(x);
  const auto loss = [&](const torch::Tensor& at) { return net->forward(at).square().sum().item<double>(); };
  constexpr double step = 1e-5;
  const double slope = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step);
  ASSERT_GT(std::abs(slope), 1e-3);
  for (int call = 0; call < 4; ++call) {
    const auto leaf = x.clone().requires_grad_();
    module.forward({leaf}).toTensor().square().sum().backward();
    EXPECT_NEAR((leaf.grad() * direction).sum().item<double>(), slope, 1e-5 * std::abs(slope)) << call;
  }
}

TEST_P(ExportedTensorsTest, ABlackImageHasAFiniteGradient) {
  auto net = named_network(GetParam());
  auto module = reloaded(net);
  for (int call = 0; call < 3; ++call) {
    const auto leaf = torch::zeros({2, 1, 12, 12}).requires_grad_();
    module.forward({leaf}).toTensor().square().sum().backward();
    EXPECT_TRUE(leaf.grad().isfinite().all().item<bool>()) << call;
  }
}

INSTANTIATE_TEST_SUITE_P(Detections, ExportedTensorsTest,
                         ::testing::Values(Detection::intensity, Detection::amplitude, Detection::balanced,
                                           Detection::coherent));

TEST_F(ExportedTensorsTest, AreBuffersThatWantNoGradients) {
  auto net = named_network(Detection::intensity);
  const auto module = reloaded(net);
  EXPECT_EQ(module.parameters().size(), 0U);
  for (const auto& buffer : module.named_buffers()) {
    EXPECT_FALSE(buffer.value.requires_grad()) << buffer.name;
    EXPECT_FALSE(buffer.value.is_complex()) << buffer.name << " would not be converted by double()";
  }
}

TEST_F(ExportedTensorsTest, AreParametersIfTrainable) {
  auto net = named_network(Detection::intensity);
  auto module = reloaded(net, /*trainable=*/true);
  std::map<std::string, torch::Tensor> parameters;
  for (const auto& parameter : module.named_parameters()) {
    EXPECT_TRUE(parameter.value.requires_grad()) << parameter.name;
    parameters[parameter.name] = parameter.value;
  }
  EXPECT_EQ(parameters.at("layer1.matrix_transposed").sizes(), torch::IntArrayRef({16, 16, 2}));
  for (const auto* name : {"layer3.factor", "layer6.matrix_transposed", "layer7.bias", "layer10.weight"}) {
    EXPECT_EQ(parameters.count(name), 1U) << name;
  }
  EXPECT_EQ(parameters.count("layer9.running_mean"), 0U) << "what is a buffer in the network stays one";

  const auto x = torch::rand({4, 1, 12, 12});
  EXPECT_LE((module.forward({x}).toTensor() - net->forward(x)).abs().max().item<double>(), 1e-6);
  const auto loss = [&] { return module.forward({x}).toTensor().square().mean(); };
  const double before = loss().item<double>();
  for (int step = 0; step < 3; ++step) {
    for (const auto& parameter : module.parameters()) {
      parameter.mutable_grad().reset();
    }
    loss().backward();
    const torch::NoGradGuard no_grad;
    for (auto parameter : module.parameters()) {
      ASSERT_TRUE(parameter.grad().defined());
      parameter.sub_(parameter.grad(), 0.02);
    }
  }
  EXPECT_LT(loss().item<double>(), before);
}

TEST_F(ExportedTensorsTest, FollowAConversionToDouble) {
  auto net = named_network(Detection::amplitude);
  auto module = reloaded(net);
  module.to(torch::kDouble);
  net->to(torch::kDouble);
  const auto x = torch::rand({3, 1, 12, 12}, torch::kDouble);
  const auto expected = net->forward(x), got = module.forward({x}).toTensor();
  ASSERT_EQ(got.scalar_type(), torch::kDouble);
  EXPECT_LE((expected - got).abs().max().item<double>(), 1e-5 * expected.abs().max().item<double>());
}

TEST_F(ExportedTensorsTest, AreTheSameUnderInferenceMode) {
  auto net = named_network(Detection::intensity);
  export_torchscript(net, torch::ones({2, 1, 12, 12}), path_);
  const auto without = content(path_);
  {
    const c10::InferenceMode guard;
    export_torchscript(net, torch::ones({2, 1, 12, 12}), path_);
  }
  EXPECT_TRUE(content(path_) == without);
}

}  // namespace
}  // namespace optotorch
