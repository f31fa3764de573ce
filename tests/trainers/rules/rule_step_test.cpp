// What Rule::step says of networks that cannot learn.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/errors.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/loss.h>

#include <string>
#include <vector>

namespace optotorch {
namespace {

/// What is warned of while it lives.
class Warnings : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override { texts.push_back(warning.msg()); }
  std::vector<std::string> texts;

 private:
  c10::WarningUtils::WarningHandlerGuard guard_{this};
};

class RuleStepTest : public ::testing::Test {
 protected:
  RuleStepTest() {
    torch::manual_seed(6);
    x = torch::rand({5, 8});
    target = torch::randint(3, {5}, torch::kInt64);
  }

  /// Meshes with activations between them; `bias` pi is the default, which passes weak light least.
  static Hybrid deep(int64_t layers, const ElectroOpticActivationOptions& options) {
    Hybrid net{Modulator(8)};
    for (int64_t i = 0; i < layers; ++i) {
      net->push_back(MziMesh(8));
      net->push_back(ElectroOpticActivation(options));
    }
    net->push_back(Photodetector());
    net->push_back(torch::nn::Linear(8, 3));
    return net;
  }

  void step(Rule& rule, Hybrid& net) const {
    net->zero_grad();
    rule.step(*net, x, target, torch::nn::CrossEntropyLoss());
  }

  torch::Tensor x, target;
};

TEST_F(RuleStepTest, LightThatGetsLostIsWarnedOfOnce) {
  auto net = deep(8, {});
  const Warnings warnings;
  BackPropagation rule;
  step(rule, net);
  ASSERT_EQ(warnings.texts.size(), 1U);
  const auto& text = warnings.texts.front();
  EXPECT_NE(text.find("bp: layers 0 to 2 got a gradient of exactly zero"), std::string::npos) << text;
  // Behind the modulator, mean |y|^2 is that of the values.
  char first[32];
  std::snprintf(first, sizeof first, "layers: %.2g, ", x.square().mean().item<double>());
  EXPECT_NE(text.find(first), std::string::npos) << text;
  EXPECT_NE(text.find(", 0, 0, "), std::string::npos) << text;
  for (int i = 0; i < 5; ++i) {
    step(rule, net);
  }
  EXPECT_EQ(warnings.texts.size(), 1U) << "once a rule";
  BackPropagation silent;
  freeze(*net);
  unfreeze(net->layer(net->size() - 1));
  step(silent, net);
  EXPECT_EQ(warnings.texts.size(), 1U) << "what is frozen need not learn";
}

TEST_F(RuleStepTest, BrightNetworksAreNotWarnedOf) {
  const Warnings warnings;
  auto net = deep(8, ElectroOpticActivationOptions().bias(0));
  BackPropagation bp;
  DirectFeedback dfa;
  Shallow shallow;
  TwoPassForward tpfp(TwoPassForwardOptions().strength(.1));
  for (Rule* rule : std::vector<Rule*>{&bp, &dfa, &shallow, &tpfp}) {
    for (int i = 0; i < 4; ++i) {
      step(*rule, net);
    }
  }
  EXPECT_TRUE(warnings.texts.empty()) << warnings.texts.front();
}

TEST_F(RuleStepTest, AReadOutThatBeginsAtZeroIsWarnedOfIfItStays) {
  const Warnings warnings;
  auto net = deep(1, ElectroOpticActivationOptions().bias(0));
  const auto head = std::to_string(net->children().size() - 1);
  for (const auto* name : {".weight", ".bias"}) {  // its output is zero then, which is no lost light
    net->named_parameters()[head + name].detach().zero_();
  }
  BackPropagation rule;
  step(rule, net);
  step(rule, net);
  EXPECT_TRUE(warnings.texts.empty()) << "it may only begin so";
  step(rule, net);
  ASSERT_EQ(warnings.texts.size(), 1U);
  EXPECT_NE(warnings.texts.front().find("look at the loss"), std::string::npos);
}

TEST_F(RuleStepTest, InferenceModeIsRefused) {
  auto net = deep(1, {});
  BackPropagation rule;
  torch::Tensor inside;
  {
    const c10::InferenceMode guard;
    EXPECT_SAYS(step(rule, net), "bp: mode: expected LibTorch outside of c10::InferenceMode");
    inside = x.clone();
  }
  EXPECT_SAYS(rule.step(*net, inside, target, torch::nn::CrossEntropyLoss()), "Clone them");
  for (const auto& parameter : net->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
  step(rule, net);
}

TEST_F(RuleStepTest, ANetworkThatIsFrozenIsRefused) {
  auto net = deep(1, {});
  freeze(*net);
  BackPropagation rule;
  EXPECT_SAYS(step(rule, net), "unfreeze()");
}

}  // namespace
}  // namespace optotorch
