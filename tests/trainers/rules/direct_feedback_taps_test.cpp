#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/tap.h>
#include <support/differences.h>
#include <support/direct_feedback.h>
#include <support/errors.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/functional.h>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::squared;

using DirectFeedbackTapsTest = testing::DirectFeedbackFixture;

/// Two parts before the read-out, with a residual path around the second that begins behind a tap.
struct TappedImpl : torch::nn::Cloneable<TappedImpl> {
  TappedImpl() { reset(); }
  void reset() override {
    first = register_module("first", torch::nn::Linear(6, 5));
    second = register_module("second", torch::nn::Linear(5, 5));
    last = register_module("last", torch::nn::Linear(5, 3));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const auto h = tap(first(x).tanh());
    const auto g = tap(h + second(h).tanh());
    return last(g);
  }
  torch::nn::Linear first{nullptr}, second{nullptr}, last{nullptr};
};
TORCH_MODULE(Tapped);

TEST_F(DirectFeedbackTapsTest, SignalsEnterAtTaps) {
  Tapped tapped;
  net = Hybrid(tapped);
  net->to(torch::kFloat64);
  const auto b1 = torch::randn({5, 3}, torch::kFloat64), b2 = torch::randn({5, 3}, torch::kFloat64);
  DirectFeedback rule;
  rule.set_feedback({b1, b2});
  const auto gradients = gradients_by(rule, x, target);
  // By hand.
  const auto h = (x.matmul(tapped->first->weight.t()) + tapped->first->bias).tanh().detach();
  const auto t = (h.matmul(tapped->second->weight.t()) + tapped->second->bias).tanh().detach();
  const auto y = ((h + t).matmul(tapped->last->weight.t()) + tapped->last->bias).detach();
  const auto e = 2 * (y - target) / static_cast<double>(y.numel());
  const auto s1 = e.matmul(b1.t()) * (1 - h.square()), s2 = e.matmul(b2.t()) * (1 - t.square());
  const std::vector<torch::Tensor> expected = {s1.t().matmul(x), s1.sum(0),           s2.t().matmul(h),
                                               s2.sum(0),        e.t().matmul(h + t), e.sum(0)};
  ASSERT_EQ(gradients.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i].detach(), 1e-12);
  }
}

TEST_F(DirectFeedbackTapsTest, TapsThatWouldTeachNothingAreRejected) {
  net = Hybrid(Tapped());
  net->to(torch::kFloat64);
  DirectFeedback at_input(DirectFeedbackOptions().error(ErrorOf::head_input));
  EXPECT_SAYS(at_input.step(*net, x, target, squared),
              "error: expected ErrorOf::output for a read-out with taps");
  net = Hybrid(torch::nn::Linear(6, 5),
               torch::nn::Functional([](const torch::Tensor& v) { return tap(v.tanh()); }),
               torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  EXPECT_SAYS(DirectFeedback().step(*net, x, target, squared),
              "tap: expected one in a module with the parameters");
  for (const auto& parameter : net->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

}  // namespace
}  // namespace optotorch
