#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/differences.h>
#include <support/losses.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::squared_error;

class TwoPassForwardTest : public ::testing::Test {
 protected:
  TwoPassForwardTest() {
    torch::manual_seed(23);
    net = Hybrid(Modulator(6), MziMesh(6), Photodetector(), torch::nn::Linear(6, 5), torch::nn::Tanh(),
                 torch::nn::Linear(5, 3));
    net->to(torch::kFloat64);
    x = torch::randn({8, 6}, torch::kFloat64);
    target = torch::randn({8, 3}, torch::kFloat64);
  }

  void step(Rule& rule, HybridImpl& model, double rate = 0.1) {
    torch::optim::SGD optimizer(model.parameters(), torch::optim::SGDOptions(rate));
    optimizer.zero_grad();
    rule.step(model, x, target, squared_error);
    optimizer.step();
    optimizer.zero_grad();
  }

  static bool equal(HybridImpl& a, HybridImpl& b) {
    const auto p = a.parameters(), q = b.parameters();
    for (size_t i = 0; i < p.size(); ++i) {
      if (!p[i].equal(q[i])) {
        return false;
      }
    }
    return p.size() == q.size();
  }

  std::shared_ptr<HybridImpl> copy() const { return std::dynamic_pointer_cast<HybridImpl>(net->clone()); }

  Hybrid net;
  torch::Tensor x, target;
};

TEST_F(TwoPassForwardTest, ASeedIsARun) {
  for (const auto feedback : {Feedback::random, Feedback::twin}) {
    const auto options = TwoPassForwardOptions().feedback(feedback);
    const auto run = [&](int64_t seed, int64_t torch_seed) {
      torch::manual_seed(torch_seed);
      auto model = copy();
      TwoPassForward rule(TwoPassForwardOptions(options).seed(seed));
      for (int i = 0; i < 3; ++i) {
        step(rule, *model);
      }
      return model;
    };
    const auto one = run(5, 1);
    EXPECT_TRUE(equal(*one, *run(5, 2)));
    EXPECT_FALSE(equal(*one, *run(6, 1)));
  }
}

TEST_F(TwoPassForwardTest, RandomFeedbackHasTheStatedBound) {
  Hybrid electronic(torch::nn::Linear(150, 20), torch::nn::Tanh(), torch::nn::Linear(20, 40));
  const double bound = 0.05 * std::sqrt(6.0 / 150);
  for (const double gain : {1.0, 3.0}) {
    TwoPassForward rule(TwoPassForwardOptions().gain(gain));
    rule.step(*electronic, torch::randn({4, 150}), torch::randn({4, 40}), squared_error);
    const auto& f = rule.feedback();
    ASSERT_EQ(f.sizes(), (at::IntArrayRef{150, 40}));
    EXPECT_FALSE(f.is_complex());
    EXPECT_LE(f.abs().max().item<double>(), gain * bound * (1 + 1e-6));
    EXPECT_GT(f.abs().max().item<double>(), gain * bound * 0.99);
    EXPECT_NEAR(f.square().mean().item<double>(), gain * gain * bound * bound / 3,
                0.05 * gain * gain * bound * bound);
    EXPECT_LE(f.mean().abs().item<double>(), 4 * gain * bound / std::sqrt(3 * 6000.0));
  }
  TwoPassForward rule;
  rule.step(*net, x, target, squared_error);
  const auto& f = rule.feedback();
  EXPECT_EQ(f.scalar_type(), torch::kComplexDouble);
  EXPECT_EQ(f.sizes(), (at::IntArrayRef{6, 3}));
  EXPECT_LE(at::view_as_real(f).abs().max().item<double>(), 0.05);  // sqrt(6 / 6) = 1
  EXPECT_FALSE(at::real(f).equal(at::imag(f)));
}

TEST_F(TwoPassForwardTest, FeedbackDoesNotDependOnTheBatch) {
  for (const auto feedback : {Feedback::random, Feedback::twin, Feedback::adjoint}) {
    TwoPassForward one(TwoPassForwardOptions().feedback(feedback)), other(one);
    one.step(*net, x, target, squared_error);
    other.step(*net, torch::randn({2, 6}, torch::kFloat64), target.narrow(0, 0, 2), squared_error);
    EXPECT_TRUE(one.feedback().equal(other.feedback()));
  }
}

TEST_F(TwoPassForwardTest, ARepeatedBatchHasTheSameGradients) {
  for (const auto presynaptic : {Presynaptic::modulated, Presynaptic::clean}) {
    TwoPassForward rule(TwoPassForwardOptions().presynaptic(presynaptic));
    std::vector<torch::Tensor> once;
    rule.step(*net, x, target, squared_error);
    for (const auto& parameter : net->parameters()) {
      once.push_back(parameter.grad().clone());
    }
    net->zero_grad();
    rule.step(*net, at::cat({x, x}), at::cat({target, target}), squared_error);
    for (size_t i = 0; i < once.size(); ++i) {
      expect_close(net->parameters()[i].grad(), once[i], 1e-11);
    }
    net->zero_grad();
  }
}

// Step by step as the header says, for an electronic network: the hidden layer's gradient is the difference
// of the two activations times the presynaptic activity.
TEST_F(TwoPassForwardTest, IsWhatItsFormulaSays) {
  net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto parameters = net->parameters();
  const auto w1 = parameters[0].detach(), b1 = parameters[1].detach(), w2 = parameters[2].detach(),
             b2 = parameters[3].detach();
  for (const double s : {0.5, -2.0}) {
    for (const auto presynaptic : {Presynaptic::modulated, Presynaptic::clean}) {
      net->zero_grad();
      TwoPassForward rule(TwoPassForwardOptions().strength(s).presynaptic(presynaptic).gain(20));
      rule.step(*net, x, target, squared_error);
      const auto h = (x.matmul(w1.t()) + b1).tanh();
      const auto y = h.matmul(w2.t()) + b2;
      const auto error = 2 * (y - target) / 3;  // of each sample: the loss is a mean over 8 x 3
      const auto modulated = x - s * error.matmul(rule.feedback().t());
      const auto h2 = (modulated.matmul(w1.t()) + b1).tanh();
      const bool clean = presynaptic == Presynaptic::clean;
      const auto signal = (h - h2) / s;
      expect_close(parameters[0].grad(), signal.t().matmul(clean ? x : modulated) / 8, 1e-12, "w1");
      expect_close(parameters[1].grad(), signal.mean(0), 1e-12, "b1");
      expect_close(parameters[2].grad(), error.t().matmul(clean ? h : h2) / 8, 1e-12, "w2");
      expect_close(parameters[3].grad(), error.mean(0), 1e-12, "b2");
    }
  }
}

TEST_F(TwoPassForwardTest, AResumedRunIsTheSameRun) {
  for (const auto feedback : {Feedback::random, Feedback::twin, Feedback::adjoint}) {
    const auto options = TwoPassForwardOptions().feedback(feedback).refresh(3).seed(4);
    auto through = copy(), stopped = copy();
    TwoPassForward one(options), before(options), after(options), ignorant(options);
    for (int i = 0; i < 7; ++i) {
      step(one, *through);
    }
    for (int i = 0; i < 4; ++i) {
      step(before, *stopped);
    }
    auto without_state = std::dynamic_pointer_cast<HybridImpl>(stopped->clone());
    after.load_state(before.state());
    for (int i = 0; i < 3; ++i) {
      step(after, *stopped);
      step(ignorant, *without_state);
    }
    EXPECT_TRUE(equal(*through, *stopped));
    EXPECT_TRUE(after.feedback().equal(one.feedback()));
    EXPECT_EQ(after.state().at("steps").item<int64_t>(), 7);
    if (feedback != Feedback::random) {
      EXPECT_FALSE(equal(*through, *without_state));  // the state matters
    }
  }
}

TEST_F(TwoPassForwardTest, AnotherRulesStateIsRejected) {
  TwoPassForward rule;
  step(rule, *net);
  const auto before = rule.feedback();
  EXPECT_THROW(rule.load_state({}), c10::ValueError);
  EXPECT_THROW(rule.load_state({{"steps", torch::tensor(0.5)}}), c10::ValueError);
  EXPECT_THROW(rule.load_state({{"steps", torch::zeros({2}, torch::kInt64)}}), c10::ValueError);
  EXPECT_THROW(rule.load_state(DirectFeedback().state()), c10::ValueError);
  EXPECT_TRUE(rule.feedback().equal(before));
  EXPECT_EQ(rule.state().at("steps").item<int64_t>(), 1);
}

// Neither the second pass nor a measurement counts for the statistics of the data.
TEST_F(TwoPassForwardTest, RunningStatisticsAreOfTheDataOnly) {
  net = Hybrid(torch::nn::BatchNorm1d(6), torch::nn::Linear(6, 5), torch::nn::BatchNorm1d(5),
               torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto expected = copy();
  expected->propagate(x);
  for (const auto feedback : {Feedback::random, Feedback::twin, Feedback::adjoint}) {
    for (const auto presynaptic : {Presynaptic::modulated, Presynaptic::clean}) {
      auto model = copy();
      TwoPassForward rule(TwoPassForwardOptions().feedback(feedback).presynaptic(presynaptic));
      rule.step(*model, x, target, squared_error);
      for (const std::string name : {"0.running_mean", "2.running_mean", "2.running_var"}) {
        EXPECT_TRUE(model->named_buffers()[name].equal(expected->named_buffers()[name])) << name;
      }
    }
  }
}

TEST_F(TwoPassForwardTest, NoNoiseIsDrawnTwice) {
  net = Hybrid(Modulator(6), MziMesh(6), Photodetector(PhotodetectorOptions().thermal_noise(0.1)),
               torch::nn::Linear(6, 3));
  net->to(torch::kFloat64);
  TwoPassForward rule(TwoPassForwardOptions().feedback(Feedback::adjoint));
  rule.step(*net, x, target, squared_error);
  EXPECT_EQ(dynamic_cast<PhotodetectorImpl&>(net->layer(2)).passes.item<int64_t>(), 2);
}

TEST_F(TwoPassForwardTest, BadInputIsRejectedAndTrainsNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double strength : {0.0, nan, inf}) {
    EXPECT_THROW(TwoPassForward(TwoPassForwardOptions().strength(strength)), c10::ValueError);
  }
  for (const double gain : {0.0, nan, inf}) {
    EXPECT_THROW(TwoPassForward(TwoPassForwardOptions().gain(gain)), c10::ValueError);
    EXPECT_THROW(TwoPassForward(TwoPassForwardOptions().hidden_gain(gain)), c10::ValueError);
  }
  EXPECT_THROW(TwoPassForward(TwoPassForwardOptions().refresh(0)), c10::ValueError);
  TwoPassForward rule;
  EXPECT_THROW(rule.step(*net, at::full_like(x, nan), target, squared_error), c10::ValueError);
  for (const auto& parameter : net->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
  EXPECT_FALSE(rule.feedback().defined());
  step(rule, *net);
  Hybrid other(torch::nn::Linear(6, 5), torch::nn::Linear(5, 4));
  other->to(torch::kFloat64);
  EXPECT_THROW(rule.step(*other, x, torch::randn({8, 4}, torch::kFloat64), squared_error), c10::ValueError);
}

}  // namespace
}  // namespace optotorch
