// A layer as a node: what LibTorch's autograd does for a node of its own, it does for ours.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/differentiable.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/layer_test.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <set>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::functional;

class DifferentiableGraphTest : public testing::LayerTest {
 protected:
  /// What the pull-backs of these read is not their output.
  bool output_is_free() const {
    static const std::set<std::string> free = {"WeightBank",
                                               "Photodetector",
                                               "ElectroOpticActivation",
                                               "SaturableAbsorber",
                                               "KerrActivation",
                                               "DetectorRegions",
                                               "ModRelu",
                                               "ImageSlices",
                                               "DiffractiveLayer",
                                               "Correlator4f",
                                               "Camera",
                                               "PatchStream",
                                               "SpectralFilterBank",
                                               "LaserReservoir",
                                               "BooleanReadout",
                                               "TernaryReadout"};
    // BlockDiagonals join what their blocks deliver, which is a copy; the last two multiply by a matrix.
    return free.contains(layer->name()) || GetParam().name.starts_with("BlockDiagonal") ||
           GetParam().name == "ConvolutionOfAWeightBank" || GetParam().name == "ConvolutionOfAMesh" ||
           is_fixed();
  }
  /// Linear optics without parameters: their pull-backs read the signal alone.
  bool is_fixed() const {
    static const std::set<std::string> fixed = {"FreeSpace", "Lens", "Aperture", "PortArray"};
    return fixed.contains(layer->name());
  }
  /// What these read of their input, if anything, is their own copy.
  bool input_is_free() const {
    return layer->name() == "PhaseScreen" || layer->name() == "LaserReservoir" ||
           GetParam().name == "PhotodetectorCoherent" || is_fixed();
  }
  /// An offset, which only the forward pass reads.
  bool is_offset(const std::string& parameter) const {
    return parameter == "bias" && (layer->name() == "WeightBank" || layer->name().ends_with("Readout"));
  }
  bool electronic() const { return dynamic_cast<ElectronicBlock*>(layer.get()) != nullptr; }

  /// The gradient at x of a functional of 2 y, by backward, with whatever `between` does before it; or what
  /// that throws.
  std::string error_after(const std::function<void(torch::Tensor& y, torch::Tensor& h)>& between) {
    const auto leaf = x.clone().requires_grad_();
    auto h = leaf * 1;
    auto y = differentiable(layer)->forward(h);
    const auto w = weights_for(y);
    try {
      between(y, h);
      functional(w.detach(), y).backward();
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    grad = leaf.grad();
    return "";
  }

  torch::Tensor grad;
};

// y.mul_(2) gave gradients off by 15 where 15 was right.
TEST_P(DifferentiableGraphTest, AnOutputChangedInPlaceIsRefusedOrRight) {
  const auto w = weights_for(layer->propagate(x).output);
  torch::Tensor expected;
  gradients_by_pullback(2 * w, &expected);
  const auto leaf = x.clone().requires_grad_();
  auto y = differentiable(layer)->forward(leaf);
  y.mul_(2);
  if (electronic()) {
    return;  // LibTorch's business
  }
  if (output_is_free()) {
    functional(w, y).backward();
    expect_close(leaf.grad(), expected, 1e-13, "input");
    return;
  }
  EXPECT_SAYS(functional(w, y).backward(), layer->name() + ": ");
  EXPECT_SAYS(functional(w, y).backward(), "changed in place");
  for (const auto& parameter : layer->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_P(DifferentiableGraphTest, AnInputOrAParameterChangedInPlaceIsRefused) {
  EXPECT_EQ(error_after([](auto&, auto&) {}), "");
  if (electronic()) {
    return;
  }
  if (!input_is_free()) {
    EXPECT_NE(error_after([](auto&, torch::Tensor& h) { h.detach().mul_(2); }).find("changed in place"),
              std::string::npos);
  }
  for (auto& item : layer->named_parameters()) {
    if (is_offset(item.key())) {
      continue;
    }
    auto& parameter = item.value();
    const auto said = error_after([&](auto&, auto&) {
      const torch::NoGradGuard no_grad;
      parameter.add_(0.1);
    });
    EXPECT_NE(said.find("step the optimiser after"), std::string::npos) << said;
  }
}

TEST_P(DifferentiableGraphTest, SoItIsByHand) {
  if (electronic()) {
    return;
  }
  for (const auto hook : {&Layer::pullback, &Layer::dfa_update, &Layer::dat_update}) {
    for (auto& item : layer->named_parameters()) {
      if (is_offset(item.key())) {
        continue;
      }
      const auto pass = layer->propagate(x);
      const auto w = weights_for(pass.output);
      item.value().detach().add_(0.1);
      EXPECT_SAYS(((*layer).*hook)(pass, w, true), "changed in place");
    }
    auto pass = layer->propagate(x);
    pass.input.add_(1e-3);
    pass.output.add_(1e-3);
    if (!GetParam().name.starts_with("BlockDiagonal") &&
        !(input_is_free() && layer->name() != "PhaseScreen")) {
      EXPECT_SAYS(((*layer).*hook)(pass, pass.output, true), "changed in place");
    }
  }
  for (const auto& parameter : layer->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_P(DifferentiableGraphTest, SecondDerivativesAreRefused) {
  if (electronic()) {
    return;  // autograd runs inside it, once
  }
  const auto leaf = x.clone().requires_grad_();
  const auto y = differentiable(layer)->forward(leaf);
  const auto loss = functional(weights_for(y), y).square();
  EXPECT_SAYS(torch::autograd::grad({loss}, {leaf}, {}, /*retain_graph=*/true, /*create_graph=*/true),
              "create_graph");
  EXPECT_TRUE(torch::autograd::grad({loss}, {leaf})[0].defined());
}

// torch::autograd::grad returns gradients and leaves `.grad` alone.
TEST_P(DifferentiableGraphTest, GradOfParametersIsReturned) {
  const auto w = weights_for(layer->propagate(x).output);
  const auto expected = gradients_by_pullback(w);
  std::vector<torch::Tensor> parameters;
  for (const auto& parameter : layer->parameters()) {
    if (parameter.requires_grad()) {
      parameters.push_back(parameter);
    }
  }
  if (parameters.empty()) {
    return;
  }
  const auto y = differentiable(layer)->forward(x);
  const auto got = torch::autograd::grad({functional(w, y)}, parameters);
  size_t i = 0;
  for (const auto& item : layer->named_parameters()) {
    expect_close(got[i++], expected.at(item.key()), 1e-14, item.key());
    EXPECT_FALSE(item.value().grad().defined());
  }
}

INSTANTIATE_TEST_SUITE_P(All, DifferentiableGraphTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

TEST(DifferentiableGraphTest, ABareLayerBehindALinearIsRefused) {
  torch::nn::Sequential net(torch::nn::Linear(4, 4), WeightBank(4, 3));
  EXPECT_SAYS(net->forward(torch::randn({2, 4})), "WeightBank: input: expected one that requires no grad");
}

TEST(DifferentiableGraphTest, UsedTwiceItSumsItsGradients) {
  torch::manual_seed(5);
  WeightBank bank(WeightBankOptions(3, 3));
  bank->to(torch::kFloat64);
  const auto node = differentiable(bank);
  const auto x = torch::randn({2, 3}, torch::kFloat64);
  auto twice = node;
  const auto loss = [&] { return twice->forward(twice->forward(x)).square().sum(); };
  loss().backward();
  const auto value = [&] {
    const torch::NoGradGuard no_grad;
    return loss().item<double>();
  };
  for (auto& item : bank->named_parameters()) {
    expect_close(item.value().grad(), testing::central_differences(value, item.value().detach()), 1e-8,
                 item.key());
  }
}

}  // namespace
}  // namespace optotorch
