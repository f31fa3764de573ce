#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/transformer/token_mean.h>
#include <support/differences.h>
#include <support/errors.h>
#include <torch/nn/modules/linear.h>

namespace optotorch {
namespace {

TEST(TokenMeanTest, IsTheMeanOverTokens) {
  torch::manual_seed(1);
  TokenMean mean;
  const auto x = torch::randn({2, 5, 3}, torch::kFloat64);
  auto sum = torch::zeros({2, 3}, torch::kFloat64);
  for (int64_t t = 0; t < 5; ++t) {
    sum += x.select(1, t);
  }
  testing::expect_close(mean->forward(x), sum / 5, 1e-15);
  EXPECT_TRUE(mean->forward(x.narrow(1, 2, 1)).equal(x.select(1, 2)));
  const auto copy = std::dynamic_pointer_cast<TokenMeanImpl>(mean->clone());
  ASSERT_NE(copy, nullptr);
  EXPECT_TRUE(copy->forward(x).equal(mean->forward(x)));
}

TEST(TokenMeanTest, BelongsToTheBlockBeforeIt) {
  Hybrid net(torch::nn::Linear(3, 3), TokenMean(), torch::nn::Linear(3, 2));
  ASSERT_EQ(net->blocks().size(), 2U);
  EXPECT_EQ(net->blocks()[0].end, 2U);
  EXPECT_EQ(net->layer(1).role(), Layer::Role::response);
  // Every token has the same share in the mean.
  const auto pass = net->layer(1).propagate(torch::randn({2, 4, 3}, torch::kFloat64));
  const auto signal = torch::randn({2, 3}, torch::kFloat64);
  testing::expect_close(net->layer(1).pullback(pass, signal),
                        (signal / 4).unsqueeze(1).expand({2, 4, 3}).contiguous(), 1e-15);
}

TEST(TokenMeanTest, SaysWhatIsWrong) {
  TokenMean mean;
  EXPECT_SAYS(mean->forward(torch::Tensor()), "undefined");
  EXPECT_SAYS(mean->forward(torch::randn({2, 3})),
              "TokenMean: input: expected real values [batch, tokens, width]");
  EXPECT_SAYS(mean->forward(torch::randn({2, 0, 3})), "[2, 0, 3]");
  EXPECT_SAYS(mean->forward(torch::randn({1, 2, 3, 4})), "[1, 2, 3, 4]");
  EXPECT_SAYS(mean->forward(torch::ones({2, 3, 4}, torch::kInt64)), "int64");
  EXPECT_SAYS(mean->forward(torch::ones({2, 3, 4}, torch::kComplexFloat)), "complex64");
}

}  // namespace
}  // namespace optotorch
