#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/losses.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using testing::squared_error;

class AlignmentTest : public ::testing::Test {
 protected:
  AlignmentTest() {
    torch::manual_seed(17);
    net = Hybrid(Modulator(6), MziMesh(6), Photodetector(PhotodetectorOptions().thermal_noise(1e-3)),
                 torch::nn::BatchNorm1d(6), torch::nn::Linear(6, 5), torch::nn::Tanh(),
                 torch::nn::Linear(5, 3));
    x = torch::randn({8, 6});
    target = torch::randn({8, 3});
  }

  std::vector<double> of(Rule& rule) { return alignment(rule, *net, x, target, squared_error); }

  std::vector<torch::Tensor> buffers() {
    std::vector<torch::Tensor> copies;
    for (const auto& buffer : net->buffers()) {
      copies.push_back(buffer.clone());
    }
    return copies;
  }

  void expect_buffers(const std::vector<torch::Tensor>& expected) {
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(net->buffers()[i].equal(expected[i])) << net->named_buffers().keys()[i];
    }
  }

  Hybrid net;
  torch::Tensor x, target;
};

TEST_F(AlignmentTest, BackPropagationIsAlignedWithItself) {
  net->eval();  // no noise
  net->children()[3]->train();
  BackPropagation rule;
  const auto cosines = of(rule);
  ASSERT_EQ(cosines.size(), net->trainable_blocks().size());
  for (const double cosine : cosines) {
    EXPECT_NEAR(cosine, 1, 1e-6);
  }
}

TEST_F(AlignmentTest, ShallowTrainsTheHeadOnly) {
  Shallow rule;
  const auto cosines = of(rule);
  ASSERT_EQ(cosines.size(), 4U);
  for (size_t i = 0; i + 1 < cosines.size(); ++i) {
    EXPECT_TRUE(std::isnan(cosines[i]));
  }
  EXPECT_NEAR(cosines.back(), 1, 1e-2);  // noise
}

TEST_F(AlignmentTest, CosinesOfRandomFeedbackLieBetween) {
  DirectFeedback rule;
  const auto cosines = of(rule);
  for (size_t i = 0; i + 1 < cosines.size(); ++i) {
    EXPECT_LT(std::abs(cosines[i]), 0.999);
  }
}

TEST_F(AlignmentTest, LeavesNoTrace) {
  auto parameters = net->parameters();
  parameters[0].mutable_grad() = torch::randn_like(parameters[0]);
  const auto grad = parameters[0].grad();
  const auto value = grad.clone();
  const auto before = buffers();
  for (const auto feedback : {Feedback::random, Feedback::twin, Feedback::adjoint}) {
    TwoPassForward rule(TwoPassForwardOptions().feedback(feedback));
    of(rule);
    EXPECT_FALSE(rule.feedback().defined());
    EXPECT_EQ(rule.state().at("steps").item<int64_t>(), 0);
  }
  expect_buffers(before);
  EXPECT_TRUE(parameters[0].grad().is_same(grad));
  EXPECT_TRUE(grad.equal(value));
  for (size_t i = 1; i < parameters.size(); ++i) {
    EXPECT_FALSE(parameters[i].grad().defined());
  }
}

TEST_F(AlignmentTest, LeavesNoTraceWhenAStepThrows) {
  auto parameters = net->parameters();
  parameters[0].mutable_grad() = torch::randn_like(parameters[0]);
  const auto grad = parameters[0].grad();
  const auto before = buffers();
  int calls = 0;
  const Loss fails_later = [&](const torch::Tensor& y, const torch::Tensor& t) {
    return squared_error(y, t) * (++calls > 1 ? std::numeric_limits<double>::quiet_NaN() : 1.0);
  };
  TwoPassForward rule;
  EXPECT_THROW(alignment(rule, *net, x, target, fails_later), c10::ValueError);
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(parameters[0].grad().is_same(grad));
  for (size_t i = 1; i < parameters.size(); ++i) {
    EXPECT_FALSE(parameters[i].grad().defined());
  }
  EXPECT_FALSE(rule.feedback().defined());
  expect_buffers(before);
}

}  // namespace
}  // namespace optotorch
