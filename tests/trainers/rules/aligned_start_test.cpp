#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/modules/transformer/token_mean.h>
#include <optotorch/trainers/rules/aligned_start.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/losses.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

namespace optotorch {
namespace {

using testing::class_loss;

std::vector<torch::Tensor> gradients_of_step(Rule&& rule, Hybrid& net, const torch::Tensor& x) {
  net->zero_grad();
  rule.step(*net, x, torch::arange(x.size(0)).remainder(3), class_loss);
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : net->parameters()) {
    gradients.push_back(parameter.grad().clone());
  }
  return gradients;
}

/// Two hidden blocks and a read-out of 3 classes.
void expect_true_gradients_behind_the_last_block(Hybrid net, torch::nn::Linear head, const torch::Tensor& x,
                                                 const DirectFeedbackOptions& options) {
  net->to(torch::kFloat64);
  const auto distance = [&] {
    const auto fed_back = gradients_of_step(DirectFeedback(options), net, x);
    const auto exact = gradients_of_step(BackPropagation(), net, x);
    EXPECT_EQ(exact.size(), 6);
    EXPECT_GT((fed_back[0] - exact[0]).norm().item<double>(), 1e-3);  // the first block's stay random
    return ((fed_back[2] - exact[2]).norm() / exact[2].norm()).item<double>();
  };
  EXPECT_GT(distance(), 0.1);
  align_head(*head, options);
  EXPECT_LT(distance(), 1e-12);
  EXPECT_EQ(head->bias.abs().max().item<double>(), 0);
}

TEST(AlignedStartTest, SendsTrueGradientsBehindTheLastBlock) {
  torch::manual_seed(1);
  torch::nn::Linear head(7, 3);
  expect_true_gradients_behind_the_last_block(
      Hybrid(torch::nn::Linear(5, 7), torch::nn::Tanh(), torch::nn::Linear(7, 7), head), head,
      torch::randn({9, 5}, torch::kFloat64), DirectFeedbackOptions().seed(3).shared_rows(true).scale(0.7));
}

TEST(AlignedStartTest, SendsTrueGradientsBehindAMeanOverTokens) {
  torch::manual_seed(2);
  torch::nn::Linear head(7, 3);
  expect_true_gradients_behind_the_last_block(
      Hybrid(torch::nn::Linear(5, 7), torch::nn::Tanh(), torch::nn::Linear(7, 7), TokenMean(), head), head,
      torch::randn({9, 4, 5}, torch::kFloat64),
      DirectFeedbackOptions().seed(3).shared_rows(true).per_token(true));
}

TEST(AlignedStartTest, ReadsAnOpticalUnitWithItsNoise) {
  const auto read = [](OpuModel model) {
    torch::nn::Linear head(200, 10);
    align_head(*head,
               DirectFeedbackOptions()
                   .shared_rows(true)
                   .ternary(TernaryFramesOptions())
                   .projector([model](int64_t rows, int64_t columns) -> std::shared_ptr<Projector> {
                     return std::make_shared<Opu>(OpuOptions(rows, columns).seed(4).model(model).sigma(0.1));
                   }));
    return head->weight.detach().clone();
  };
  const auto ideal = read(OpuModel::ideal), noisy = read(OpuModel::noisy);
  EXPECT_NEAR(ideal.square().mean().item<double>(), 0.1, 0.01);  // 1 / errors
  EXPECT_NEAR(((noisy - ideal).norm() / ideal.norm()).item<double>(), 0.1, 0.01);
}

TEST(AlignedStartTest, RejectsWhatIsNoReadOut) {
  torch::nn::Linear head(7, 3);
  const auto before = head->weight.clone();
  EXPECT_SAYS(align_head(*head, DirectFeedbackOptions()), "shared_rows: expected true");
  EXPECT_SAYS(align_head(*head, DirectFeedbackOptions().shared_rows(true).error(ErrorOf::head_input)),
              "error: expected ErrorOf::output");
  EXPECT_TRUE(head->weight.equal(before));
}

}  // namespace
}  // namespace optotorch
