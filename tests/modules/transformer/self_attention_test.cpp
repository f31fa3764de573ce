#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/transformer/self_attention.h>
#include <support/differences.h>
#include <support/errors.h>

#include <cmath>
#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

/// The definition, element by element; the maps are asked, their own tests say what they are.
torch::Tensor slow_attention(SelfAttentionImpl& attention, const torch::Tensor& x) {
  const torch::NoGradGuard no_grad;
  const int64_t batch = x.size(0), tokens = x.size(1), heads = attention.options.heads();
  const int64_t d = attention.options.width() / heads;
  const auto q = attention.query(x).contiguous(), k = attention.key(x).contiguous(),
             v = attention.value(x).contiguous();
  auto z = torch::zeros_like(v);
  const auto q_ = q.accessor<double, 3>(), k_ = k.accessor<double, 3>(), v_ = v.accessor<double, 3>();
  auto z_ = z.accessor<double, 3>();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < tokens; ++i) {
        const int64_t seen = attention.options.causal() ? i + 1 : tokens;
        std::vector<double> weight(static_cast<size_t>(seen));
        double sum = 0;
        for (int64_t j = 0; j < seen; ++j) {
          double score = 0;
          for (int64_t c = h * d; c < (h + 1) * d; ++c) {
            score += q_[b][i][c] * k_[b][j][c];
          }
          weight[static_cast<size_t>(j)] = std::exp(score / std::sqrt(static_cast<double>(d)));
          sum += weight[static_cast<size_t>(j)];
        }
        for (int64_t j = 0; j < seen; ++j) {
          for (int64_t c = h * d; c < (h + 1) * d; ++c) {
            z_[b][i][c] += weight[static_cast<size_t>(j)] / sum * v_[b][j][c];
          }
        }
      }
    }
  }
  return attention.output(z);
}

SelfAttention make_attention(int64_t width, int64_t heads, bool causal = false,
                             Maps maps = Maps::electronic) {
  SelfAttention attention(SelfAttentionOptions(width, heads).causal(causal).maps(maps));
  attention->to(torch::kFloat64);
  return attention;
}

TEST(SelfAttentionTest, IsItsDefinition) {
  torch::manual_seed(4);
  for (const auto maps : {Maps::electronic, Maps::weight_bank, Maps::mzi_linear}) {
    for (const bool causal : {false, true}) {
      for (const auto& [width, heads, tokens] :
           {std::array<int64_t, 3>{6, 1, 4}, {6, 2, 5}, {6, 6, 3}, {4, 2, 1}, {1, 1, 2}, {8, 2, 40}}) {
        auto attention = make_attention(width, heads, causal, maps);
        const auto x = 3 * torch::randn({2, tokens, width}, torch::kFloat64);
        for (const bool training : {true, false}) {
          attention->train(training);
          expect_close(attention->forward(x).detach(), slow_attention(*attention, x), 1e-12,
                       c10::str(to_string(maps), causal ? ", causal, " : ", ", width, " wide, ", heads,
                                " heads, ", tokens, " tokens"));
        }
      }
    }
  }
}

// A softmax over keys takes no notice of what all of them have in common: an offset would never learn.
TEST(SelfAttentionTest, TheKeyHasNoOffset) {
  EXPECT_EQ(make_attention(4, 2)->named_parameters().keys(),
            (std::vector<std::string>{"query.linear.weight", "query.linear.bias", "key.linear.weight",
                                      "value.linear.weight", "value.linear.bias", "output.linear.weight",
                                      "output.linear.bias"}));
}

TEST(SelfAttentionTest, LaterTokensAreNotSeen) {
  torch::manual_seed(5);
  const auto x = torch::randn({2, 9, 8}, torch::kFloat64);
  for (const bool causal : {true, false}) {
    auto attention = make_attention(8, 2, causal);
    const auto y = attention->forward(x);
    for (int64_t changed = 0; changed < 9; ++changed) {
      auto other = x.clone();
      other.select(1, changed).mul_(-3);
      const auto differs = attention->forward(other).ne(y).any(-1).any(0);
      for (int64_t t = 0; t < 9; ++t) {
        EXPECT_EQ(differs[t].item<bool>(), !causal || t >= changed) << t << ", " << changed;
      }
    }
  }
}

// Without positions, a set: permuted tokens give permuted outputs.
TEST(SelfAttentionTest, TokensHaveNoOrder) {
  torch::manual_seed(6);
  auto attention = make_attention(6, 3);
  const auto x = torch::randn({2, 5, 6}, torch::kFloat64);
  const auto order = torch::tensor({3, 0, 4, 1, 2});
  expect_close(attention->forward(x.index_select(1, order)).detach(),
               attention->forward(x).index_select(1, order).detach(), 1e-13);
}

TEST(SelfAttentionTest, LargeScoresStayFinite) {
  torch::manual_seed(7);
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    auto attention = make_attention(4, 2, /*causal=*/true);
    attention->to(type);
    const auto x = (1e4 * torch::randn({2, 3, 4}, type)).requires_grad_();
    const auto y = attention->forward(x);
    y.sum().backward();
    EXPECT_TRUE(y.isfinite().all().item<bool>());
    EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
  }
}

TEST(SelfAttentionTest, CopiesAreTheirOwn) {
  torch::manual_seed(8);
  for (const auto maps : {Maps::electronic, Maps::weight_bank, Maps::mzi_linear}) {
    auto attention = make_attention(4, 2, true, maps);
    const auto copy = std::dynamic_pointer_cast<SelfAttentionImpl>(attention->clone());
    ASSERT_NE(copy, nullptr);
    const torch::NoGradGuard no_grad;
    const auto x = torch::randn({2, 3, 4}, torch::kFloat64);
    const auto y = attention->forward(x);
    for (auto& parameter : attention->parameters()) {
      parameter.add_(1);
    }
    EXPECT_TRUE(copy->forward(x).equal(y));
    EXPECT_FALSE(attention->forward(x).equal(y));
  }
}

TEST(SelfAttentionTest, SaysWhatIsWrong) {
  EXPECT_SAYS(make_attention(6, 4), "heads that divide the width, got 6, 4");
  EXPECT_SAYS(make_attention(6, 0), "got 6, 0");
  EXPECT_SAYS(make_attention(0, 1), "got 0, 1");
  EXPECT_SAYS(make_attention(6, -2), "got 6, -2");
  auto attention = make_attention(6, 2);
  const auto real = torch::dtype(torch::kFloat64);
  EXPECT_SAYS(attention->forward(torch::Tensor()), "undefined");
  EXPECT_SAYS(attention->forward(torch::randn({2, 6}, real)),
              "SelfAttention: input: expected real values [batch, tokens, 6], got float64 [2, 6]");
  EXPECT_SAYS(attention->forward(torch::randn({2, 3, 5}, real)), "got float64 [2, 3, 5]");
  EXPECT_SAYS(attention->forward(torch::randn({2, 0, 6}, real)), "got float64 [2, 0, 6]");
  EXPECT_SAYS(attention->forward(torch::randn({1, 2, 3, 6}, real)), "[1, 2, 3, 6]");
  EXPECT_SAYS(attention->forward(torch::ones({2, 3, 6}, torch::kInt64)), "int64");
  EXPECT_SAYS(attention->forward(torch::ones({2, 3, 6}, torch::kComplexDouble)), "complex128");
  EXPECT_SAYS(attention->forward(torch::ones({2, 3, 6}, torch::kFloat32)), "float64");
}

TEST(SelfAttentionTest, PrintsItself) {
  std::ostringstream stream;
  make_attention(6, 2, true, Maps::weight_bank)->pretty_print(stream);
  EXPECT_EQ(stream.str(), "optotorch::SelfAttention(width=6, heads=2, causal=true, maps=weight_bank)");
}

}  // namespace
}  // namespace optotorch
