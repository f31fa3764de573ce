#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/projectors/dense_projector.h>
#include <optotorch/trainers/rules/random_matrix.h>
#include <support/differences.h>
#include <support/direct_feedback.h>
#include <support/errors.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/conv.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::squared;

using DirectFeedbackSignalsTest = testing::DirectFeedbackFixture;

TEST_F(DirectFeedbackSignalsTest, ASeedIsARun) {
  DirectFeedback one(DirectFeedbackOptions().seed(5)), same(DirectFeedbackOptions().seed(5)),
      other(DirectFeedbackOptions().seed(6));
  const auto gradients = gradients_by(one, x, target);
  torch::manual_seed(1234);  // LibTorch's generator has no say
  EXPECT_TRUE(equal(gradients, gradients_by(same, x, target)));
  EXPECT_TRUE(equal(gradients, gradients_by(one, x, target)));
  const auto different = gradients_by(other, x, target);
  EXPECT_FALSE(gradients[0].equal(different[0]));
  EXPECT_TRUE(gradients.back().equal(different.back()));  // the head is exact
  EXPECT_TRUE(one.state().empty());
}

TEST_F(DirectFeedbackSignalsTest, MatricesDoNotDependOnTheBatch) {
  DirectFeedback one, other;
  gradients_by(one, x.narrow(0, 0, 3), target.narrow(0, 0, 3));
  EXPECT_TRUE(equal(gradients_by(one, x, target), gradients_by(other, x, target)));
}

// The signal is linear in the error and averaged as the loss is: a batch of twice the samples has the same
// gradients.
TEST_F(DirectFeedbackSignalsTest, ARepeatedBatchHasTheSameGradients) {
  DirectFeedback rule;
  const auto once = gradients_by(rule, x, target);
  const auto twice = gradients_by(rule, at::cat({x, x}), at::cat({target, target}));
  for (size_t i = 0; i < once.size(); ++i) {
    expect_close(twice[i], once[i], 1e-12);
  }
}

TEST_F(DirectFeedbackSignalsTest, TheSignalIsTheMatrixTimesTheError) {
  std::vector<torch::Tensor> matrices = {torch::randn({6, 3}, torch::kComplexDouble),
                                         torch::randn({6, 3}, torch::kFloat64),
                                         torch::randn({5, 3}, torch::kFloat64)};
  DirectFeedback rule;
  rule.set_feedback(matrices);
  const auto gradients = gradients_by(rule, x, target);

  const auto passes = net->propagate(x);
  const auto error = 2 * (passes.back().output - target) / static_cast<double>(target.numel());
  const auto e = error.to(torch::kComplexDouble);
  net->layer(1).pullback(passes[1], e.matmul(matrices[0].t()), false);
  // The detector's slope is applied to the signal behind it.
  const auto behind = error.matmul(matrices[1].t());
  net->layer(2).pullback(passes[2], net->layer(3).pullback(passes[3], behind), false);
  for (const size_t mesh : {1, 2}) {
    const auto parameters = net->layer(mesh).parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      expect_close(gradients[3 * (mesh - 1) + i], parameters[i].grad(), 1e-13);
    }
  }
}

TEST_F(DirectFeedbackSignalsTest, ScaleMultipliesTheHiddenSignals) {
  DirectFeedback one, large(DirectFeedbackOptions().scale(4));
  const auto gradients = gradients_by(one, x, target), scaled = gradients_by(large, x, target);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const bool head = i + 2 >= gradients.size();
    expect_close(scaled[i], head ? gradients[i] : 4 * gradients[i], 1e-13);
  }
}

TEST_F(DirectFeedbackSignalsTest, ConvolutionalBlocksGetTheirShape) {
  net = Hybrid(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 2, 3)), torch::nn::Tanh(), torch::nn::Flatten(),
               torch::nn::Linear(32, 3));
  DirectFeedback rule;
  const auto gradients = gradients_by(rule, torch::randn({4, 1, 6, 6}), torch::randn({4, 3}));
  EXPECT_EQ(gradients[0].sizes(), (at::IntArrayRef{2, 1, 3, 3}));
  EXPECT_GT(gradients[0].abs().max().item<double>(), 0);
}

TEST_F(DirectFeedbackSignalsTest, BadInputIsRejectedAndTrainsNothing) {
  EXPECT_THROW(DirectFeedback(DirectFeedbackOptions().scale(0)), c10::ValueError);
  EXPECT_THROW(DirectFeedback(DirectFeedbackOptions().scale(-1)), c10::ValueError);
  EXPECT_THROW(DirectFeedback(DirectFeedbackOptions().scale(std::numeric_limits<double>::quiet_NaN())),
               c10::ValueError);
  DirectFeedback rule;
  const auto rejected = [&](const Loss& loss, const torch::Tensor& input) {
    EXPECT_THROW(rule.step(*net, input, target, loss), c10::ValueError);
    for (const auto& parameter : net->parameters()) {
      EXPECT_FALSE(parameter.grad().defined());
    }
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  rejected([&](const auto& y, const auto& t) { return (y - t).square().mean() * nan; }, x);
  rejected([](const auto& y, const auto& t) { return (y - t).square().mean() / 0; }, x);
  rejected([](const auto& y, const auto& t) { return (y - t).square().mean(1); }, x);
  rejected(squared, at::full_like(x, nan));
  rejected(squared, x.to(torch::kFloat32));
  Hybrid without(Modulator(4), Photodetector());
  EXPECT_THROW(rule.step(*without, x, target, squared), c10::ValueError);
  DirectFeedback wrong_shape;
  wrong_shape.set_feedback({torch::randn({3, 6}, torch::kComplexDouble)});
  EXPECT_THROW(wrong_shape.step(*net, x, target, squared), c10::ValueError);
}

TEST_F(DirectFeedbackSignalsTest, EmptyBatchesAreRejected) {
  const Loss summed = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().sum(); };
  net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  DirectFeedback rule, given;
  given.set_feedback({torch::ones({5, 3}, torch::kFloat64)});
  EXPECT_SAYS(rule.step(*net, x.slice(0, 0, 0), target.slice(0, 0, 0), summed), "one sample or more");
  EXPECT_SAYS(given.step(*net, x.slice(0, 0, 0), target.slice(0, 0, 0), summed), "one sample or more");
}

TEST_F(DirectFeedbackSignalsTest, AnOutputOfOneValueMayBeFlat) {
  const auto hidden = torch::nn::Linear(6, 5), last = torch::nn::Linear(5, 1);
  const auto flat = torch::nn::Functional([](const torch::Tensor& v) { return v.squeeze(1); });
  DirectFeedback rule, given;
  given.set_feedback({torch::ones({5, 1}, torch::kFloat64)});
  for (Rule* each : {static_cast<Rule*>(&rule), static_cast<Rule*>(&given)}) {
    net = Hybrid(hidden, torch::nn::Tanh(), last);
    net->to(torch::kFloat64);
    const auto expected = gradients_by(*each, x, target.slice(1, 0, 1));
    net = Hybrid(hidden, torch::nn::Tanh(), last, flat);
    EXPECT_TRUE(equal(gradients_by(*each, x, target.select(1, 0)), expected));
  }
}

TEST_F(DirectFeedbackSignalsTest, TheErrorAtTheHeadsInputIsWhatTheHeadPullsBack) {
  net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto b = torch::randn({5, 5}, torch::kFloat64);
  DirectFeedback rule(DirectFeedbackOptions().error(ErrorOf::head_input)), whole;
  rule.set_feedback({b});
  whole.set_feedback({b.matmul(net->named_parameters()["2.weight"].detach().t())});
  const auto gradients = gradients_by(rule, x, target), expected = gradients_by(whole, x, target);
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i], 1e-12);
  }
}

TEST_F(DirectFeedbackSignalsTest, TokensShareRows) {
  net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto matrix = torch::randn({5, 3}, torch::kFloat64);
  const auto options = DirectFeedbackOptions().per_token(true).projector(
      [&](int64_t rows, int64_t) -> std::shared_ptr<Projector> {
        EXPECT_EQ(rows, 5);
        return std::make_shared<DenseProjector>(matrix);
      });
  DirectFeedback tokens(options), samples(options);
  const auto sequence = torch::randn({4, 7, 6}, torch::kFloat64),
             wanted = torch::randn({4, 7, 3}, torch::kFloat64);
  const auto gradients = gradients_by(tokens, sequence, wanted);
  const auto expected = gradients_by(samples, sequence.flatten(0, 1), wanted.flatten(0, 1));
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i], 1e-12);
  }
}

TEST_F(DirectFeedbackSignalsTest, RandomMatricesHaveTheirMoments) {
  for (const auto type : {torch::kFloat64, torch::kComplexDouble}) {
    const auto m = normal_matrix(300, 200, 1, 2, type);
    EXPECT_EQ(m.scalar_type(), type);
    EXPECT_LE(m.mean().abs().item<double>(), 4 / std::sqrt(60000.0));
    EXPECT_NEAR(m.abs().square().mean().item<double>(), 1, 0.03);
    EXPECT_LE((m * m.roll(1, 0)).mean().abs().item<double>(), 4 / std::sqrt(60000.0));
    EXPECT_FALSE(m.equal(normal_matrix(300, 200, 1, 3, type)));
    EXPECT_FALSE(m.equal(normal_matrix(300, 200, 2, 2, type)));
  }
  const auto z = normal_matrix(300, 200, 1, 2, torch::kComplexDouble);
  EXPECT_NEAR(at::real(z).square().mean().item<double>(), 0.5, 0.015);
  EXPECT_LE((at::real(z) * at::imag(z)).mean().abs().item<double>(), 4 * 0.5 / std::sqrt(60000.0));
  expect_close(normal_matrix(30, 20, 1, 2, torch::kFloat32),
               normal_matrix(30, 20, 1, 2, torch::kFloat64).to(torch::kFloat32), 0);
  const auto u = uniform_matrix(300, 200, 1, 2, torch::kFloat64);
  EXPECT_LE(u.abs().max().item<double>(), 1);
  EXPECT_GT(u.abs().max().item<double>(), 0.999);
  EXPECT_LE(u.mean().abs().item<double>(), 4 / std::sqrt(3 * 60000.0));
  EXPECT_NEAR(u.square().mean().item<double>(), 1.0 / 3, 0.01);
}

}  // namespace
}  // namespace optotorch
