#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/transformer/token_embedding.h>
#include <support/differences.h>
#include <support/errors.h>

#include <limits>
#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

TokenEmbedding make_token_embedding(int64_t vocabulary, int64_t context, int64_t width) {
  TokenEmbedding embedding(vocabulary, context, width);
  embedding->to(torch::kFloat64);
  return embedding;
}

TEST(TokenEmbeddingTest, LooksUpTokensAndPlaces) {
  torch::manual_seed(1);
  auto embedding = make_token_embedding(7, 6, 3);
  for (const int64_t tokens : {1, 4, 6}) {
    const auto x = torch::randint(7, {5, tokens}, torch::kInt64);
    const auto y = embedding->forward(x).detach();
    ASSERT_EQ(y.sizes(), (at::IntArrayRef{5, tokens, 3}));
    for (int64_t b = 0; b < 5; ++b) {
      for (int64_t t = 0; t < tokens; ++t) {
        expect_close(y[b][t], (embedding->weight[x[b][t].item<int64_t>()] + embedding->positions[t]).detach(),
                     1e-15);
      }
    }
  }
  EXPECT_EQ(embedding->forward(torch::zeros({0, 4}, torch::kInt64)).sizes(), (at::IntArrayRef{0, 4, 3}));
}

TEST(TokenEmbeddingTest, GradientsAreDerivatives) {
  torch::manual_seed(2);
  auto embedding = make_token_embedding(4, 5, 2);
  const auto x = torch::tensor({{0, 2, 2}, {3, 0, 2}}), w = torch::randn({2, 3, 2}, torch::kFloat64);
  (embedding->forward(x) * w).sum().backward();
  const auto loss = [&] {
    const torch::NoGradGuard no_grad;
    return (embedding->forward(x) * w).sum().item<double>();
  };
  for (auto& item : embedding->named_parameters()) {
    expect_close(item.value().grad(), testing::central_differences(loss, item.value().detach()), 1e-8,
                 item.key());
  }
}

TEST(TokenEmbeddingTest, CopiesAreTheirOwn) {
  torch::manual_seed(3);
  auto embedding = make_token_embedding(4, 3, 2);
  const auto copy = std::dynamic_pointer_cast<TokenEmbeddingImpl>(embedding->clone());
  ASSERT_NE(copy, nullptr);
  const torch::NoGradGuard no_grad;
  const auto x = torch::tensor({{0, 3}, {1, 2}});
  const auto y = embedding->forward(x);
  for (auto& parameter : embedding->parameters()) {
    parameter.add_(1);
  }
  EXPECT_TRUE(copy->forward(x).equal(y));
  EXPECT_FALSE(embedding->forward(x).equal(y));
}

TEST(TokenEmbeddingTest, SaysWhatIsWrong) {
  EXPECT_SAYS(make_token_embedding(0, 3, 2), "1 to 2^24, got 0, 3, 2");
  EXPECT_SAYS(make_token_embedding(4, 0, 2), "got 4, 0, 2");
  EXPECT_SAYS(make_token_embedding(4, 3, -2), "got 4, 3, -2");
  auto embedding = make_token_embedding(4, 3, 2);
  EXPECT_SAYS(embedding->forward(torch::tensor({{0, 4}})),
              "TokenEmbedding: input: expected tokens from 0 to 3, got 4");
  EXPECT_SAYS(embedding->forward(torch::tensor({{0, -1}, {9, 0}})), "got -1");
  EXPECT_SAYS(embedding->forward(torch::full({1, 1}, std::numeric_limits<int64_t>::max())), "from 0 to 3");
  EXPECT_SAYS(embedding->forward(torch::full({1, 1}, std::numeric_limits<int64_t>::min())), "from 0 to 3");
  EXPECT_SAYS(embedding->forward(torch::Tensor()), "undefined");
  EXPECT_SAYS(embedding->forward(torch::zeros({2, 4}, torch::kInt64)), "1 to 3 tokens, got int64 [2, 4]");
  EXPECT_SAYS(embedding->forward(torch::zeros({2, 0}, torch::kInt64)), "got int64 [2, 0]");
  EXPECT_SAYS(embedding->forward(torch::zeros({2}, torch::kInt64)), "[2]");
  EXPECT_SAYS(embedding->forward(torch::zeros({1, 2, 3}, torch::kInt64)), "[1, 2, 3]");
  EXPECT_SAYS(embedding->forward(torch::zeros({2, 3}, torch::kInt32)), "int32");
  EXPECT_SAYS(embedding->forward(torch::zeros({2, 3})), "float32");
  EXPECT_SAYS(embedding->forward(torch::zeros({2, 3}, torch::kBool)), "bool");
}

TEST(TokenEmbeddingTest, PrintsItself) {
  std::ostringstream stream;
  make_token_embedding(4, 3, 2)->pretty_print(stream);
  EXPECT_EQ(stream.str(), "optotorch::TokenEmbedding(vocabulary=4, context=3, width=2)");
}

}  // namespace
}  // namespace optotorch
