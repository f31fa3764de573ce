#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/modules/tap.h>
#include <optotorch/modules/transformer/transformer_block.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/parameters.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/linear.h>

#include <numbers>
#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::take_all_gradients;

constexpr auto all_maps = {Maps::electronic, Maps::weight_bank, Maps::mzi_linear};

TransformerBlock make_block(const TransformerBlockOptions& options) {
  TransformerBlock block(options);
  block->to(torch::kFloat64);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : block->parameters()) {
    parameter.add_(0.1 * torch::randn_like(parameter));  // norms of gain 1 and offset 0 would hide mistakes
  }
  return block;
}

torch::Tensor slow_map(const LinearMap& map, const torch::Tensor& x) {
  if (map->options.maps() == Maps::electronic) {
    const auto y = x.matmul(map->linear->weight.t());
    return map->linear->bias.defined() ? y + map->linear->bias : y;
  }
  if (map->options.maps() == Maps::weight_bank) {
    const auto bank = std::dynamic_pointer_cast<WeightBankImpl>(map->optics->layer());
    const auto squared = bank->detuning.square();
    const auto y = x.matmul(((1 - squared) / (1 + squared)).t());
    return bank->bias.defined() ? y + bank->bias : y;
  }
  const auto mesh = std::dynamic_pointer_cast<MziLinearImpl>(map->optics->layer());
  const auto y = x.matmul(at::real(mesh->matrix()).t());
  return map->bias.defined() ? y + map->bias : y;
}

torch::Tensor slow_norm(const torch::nn::LayerNorm& norm, const torch::Tensor& x) {
  const auto centred = x - x.mean(-1, /*keepdim=*/true);
  const auto variance = centred.square().mean(-1, /*keepdim=*/true);
  return centred / (variance + 1e-5).sqrt() * norm->weight + norm->bias;
}

torch::Tensor slow_attention(const SelfAttention& attention, const torch::Tensor& x) {
  const int64_t tokens = x.size(1), d = attention->options.width() / attention->options.heads();
  const auto q = slow_map(attention->query, x), k = slow_map(attention->key, x),
             v = slow_map(attention->value, x);
  const auto hidden = torch::ones({tokens, tokens}, torch::kBool).triu(1);
  std::vector<torch::Tensor> z;
  for (int64_t head = 0; head < attention->options.heads(); ++head) {
    const auto own = [&](const torch::Tensor& t) { return t.narrow(-1, head * d, d); };
    auto scores = own(q).matmul(own(k).transpose(1, 2)) / std::sqrt(static_cast<double>(d));
    if (attention->options.causal()) {
      scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
    }
    z.push_back(scores.softmax(-1).matmul(own(v)));
  }
  return slow_map(attention->output, at::cat(z, -1));
}

torch::Tensor slow_gelu(const torch::Tensor& a) {
  return a * (1 + at::erf(a / std::numbers::sqrt2)) / 2;
}

/// The definition in matrix products and softmax.
torch::Tensor slow_block(const TransformerBlock& block, const torch::Tensor& x) {
  if (block->options.norm() == Norm::pre) {
    const auto h = x + slow_attention(block->attention, slow_norm(block->norm1, x));
    return h + slow_map(block->down, slow_gelu(slow_map(block->up, slow_norm(block->norm2, h))));
  }
  const auto h = slow_norm(block->norm1, x + slow_attention(block->attention, x));
  return slow_norm(block->norm2, h + slow_map(block->down, slow_gelu(slow_map(block->up, h))));
}

TEST(TransformerBlockTest, IsItsDefinition) {
  torch::manual_seed(1);
  for (const auto maps : all_maps) {
    for (const auto norm : {Norm::post, Norm::pre}) {
      for (const bool causal : {false, true}) {
        for (const auto& [width, heads, hidden, tokens] :
             {std::array<int64_t, 4>{6, 2, 5, 4}, {4, 4, 9, 1}, {6, 1, 0, 20}}) {
          auto block = make_block(
              TransformerBlockOptions(width, heads).hidden(hidden).norm(norm).causal(causal).maps(maps));
          const auto x = 2 * torch::randn({3, tokens, width}, torch::kFloat64);
          const torch::NoGradGuard no_grad;
          for (const bool training : {true, false}) {
            block->train(training);
            expect_close(block->forward(x), slow_block(block, x), 1e-12,
                         c10::str(to_string(maps), norm == Norm::pre ? ", pre" : ", post",
                                  causal ? ", causal, " : ", ", tokens, " tokens"));
          }
        }
      }
    }
  }
}

TEST(TransformerBlockTest, HasTheGradientsOfItsDefinition) {
  torch::manual_seed(2);
  for (const auto norm : {Norm::post, Norm::pre}) {
    for (const bool causal : {false, true}) {
      auto block = make_block(TransformerBlockOptions(6, 3).norm(norm).causal(causal));
      const auto x = torch::randn({2, 5, 6}, torch::kFloat64), w = torch::randn_like(x);
      const auto leaf = x.clone().requires_grad_(), slow_leaf = x.clone().requires_grad_();
      (slow_block(block, slow_leaf) * w).sum().backward();
      const auto expected = take_all_gradients(*block);
      (block->forward(leaf) * w).sum().backward();
      expect_close(leaf.grad(), slow_leaf.grad(), 1e-11, "input");
      for (const auto& [name, gradient] : take_all_gradients(*block)) {
        expect_close(gradient, expected.at(name), 1e-11, name);
      }
    }
  }
}

TEST(TransformerBlockTest, HiddenIsFourTimesTheWidthUnlessGiven) {
  EXPECT_EQ(TransformerBlock(6, 2)->up->options.out_features(), 24);
  EXPECT_EQ(TransformerBlock(TransformerBlockOptions(6, 2).hidden(7))->down->options.in_features(), 7);
}

TEST(TransformerBlockTest, LaterTokensAreNotSeen) {
  torch::manual_seed(3);
  const auto x = torch::randn({2, 7, 4}, torch::kFloat64);
  for (const auto norm : {Norm::post, Norm::pre}) {
    auto block = make_block(TransformerBlockOptions(4, 2).causal(true).norm(norm));
    const auto y = block->forward(x);
    for (int64_t changed = 0; changed < 7; ++changed) {
      auto other = x.clone();
      other.select(1, changed).mul_(-3);
      const auto z = block->forward(other);
      EXPECT_TRUE(z.narrow(1, 0, changed).equal(y.narrow(1, 0, changed))) << changed;
      for (int64_t t = changed; t < 7; ++t) {
        EXPECT_FALSE(z.select(1, t).equal(y.select(1, t))) << t << ", " << changed;
      }
    }
    // Nor do their signals come back: the output of a token teaches nothing about later inputs.
    const auto leaf = x.clone().requires_grad_();
    block->forward(leaf).select(1, 3).sum().backward();
    EXPECT_FALSE(leaf.grad().narrow(1, 4, 3).any().item<bool>());
  }
}

TEST(TransformerBlockTest, CopiesAreTheirOwn) {
  torch::manual_seed(4);
  for (const auto maps : all_maps) {
    auto block = make_block(TransformerBlockOptions(4, 2).hidden(3).maps(maps));
    block->norm2->eval();
    const auto copy = std::dynamic_pointer_cast<TransformerBlockImpl>(block->clone());
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(copy->named_parameters().keys(), block->named_parameters().keys());
    EXPECT_TRUE(copy->attention->is_training());
    EXPECT_FALSE(copy->norm2->is_training());
    const torch::NoGradGuard no_grad;
    const auto x = torch::randn({2, 3, 4}, torch::kFloat64);
    const auto y = block->forward(x);
    for (auto& parameter : block->parameters()) {
      parameter.add_(torch::randn_like(parameter));
    }
    EXPECT_TRUE(copy->forward(x).equal(y));
    EXPECT_FALSE(block->forward(x).equal(y));
  }
}

TEST(TransformerBlockTest, SaysWhatIsWrong) {
  const auto error = [](const TransformerBlockOptions& options) {
    return testing::error_of([&] { const TransformerBlock block(options); });
  };
  EXPECT_EQ(error(TransformerBlockOptions(6, 4)),
            "TransformerBlock: width, heads: expected 1 to 2^24, and heads that divide the width, got 6, 4.");
  EXPECT_NE(error(TransformerBlockOptions(0, 1)).find("got 0, 1"), std::string::npos);
  EXPECT_NE(error(TransformerBlockOptions(4, 0)).find("got 4, 0"), std::string::npos);
  EXPECT_NE(error(TransformerBlockOptions(4, 2).hidden(-1)).find("hidden: expected 1 to 2^24"),
            std::string::npos);
  EXPECT_NE(error(TransformerBlockOptions(4, 2).norm(Norm::pre).taps(Taps::micro)).find("Take Norm::post"),
            std::string::npos);
  auto block = make_block(TransformerBlockOptions(6, 2));
  const auto real = torch::dtype(torch::kFloat64);
  for (const auto& wrong :
       {torch::Tensor(), torch::randn({2, 6}, real), torch::randn({2, 3, 5}, real),
        torch::randn({2, 0, 6}, real), torch::randn({1, 2, 3, 6}, real),
        torch::ones({2, 3, 6}, torch::kInt64), torch::ones({2, 3, 6}, torch::kComplexDouble),
        torch::ones({2, 3, 6}, torch::kFloat32)}) {
    EXPECT_SAYS(block->forward(wrong), "TransformerBlock: input: expected");
  }
}

TEST(TransformerBlockTest, DropsInTrainingAlone) {
  torch::manual_seed(7);
  for (const auto norm : {Norm::post, Norm::pre}) {
    TransformerBlock block(TransformerBlockOptions(6, 2).norm(norm).dropout(0.5));
    const auto x = torch::randn({4, 5, 6});
    EXPECT_FALSE(block(x).equal(block(x)));
    block->eval();
    const auto y = block(x);
    EXPECT_TRUE(block(x).equal(y));
    block->options.dropout(0);
    block->train();
    EXPECT_TRUE(block(x).equal(y));
  }
}

TEST(TransformerBlockTest, PrintsItself) {
  std::ostringstream stream;
  TransformerBlock(TransformerBlockOptions(6, 2).causal(true).taps(Taps::micro))->pretty_print(stream);
  EXPECT_EQ(stream.str(),
            "optotorch::TransformerBlock(width=6, heads=2, hidden=24, norm=post, causal=true, "
            "maps=electronic, taps=micro, dropout=0.0)");
}

/// A block, and behind its last tap a linear map that learns from the signal at the output.
struct WithReadOutImpl : torch::nn::Module {
  explicit WithReadOutImpl(const TransformerBlockOptions& options)
      : block(register_module("block", make_block(options))),
        read_out(register_module("read_out", torch::nn::Linear(options.width(), 3))) {}
  torch::Tensor forward(const torch::Tensor& x) { return read_out(block(x)); }
  TransformerBlock block;
  torch::nn::Linear read_out;
};
TORCH_MODULE(WithReadOut);

/// A block with taps inside, as a rule that brings its own signals trains it.
class TransformerBlockTapsTest : public ::testing::TestWithParam<Maps> {
 protected:
  TransformerBlockTapsTest() {
    torch::manual_seed(5);
    module =
        WithReadOut(TransformerBlockOptions(4, 2).hidden(6).causal(true).maps(GetParam()).taps(Taps::micro));
    module->to(torch::kFloat64);
    block = module->block;
    read_out = module->read_out;
    net = Hybrid(module);
    x = torch::randn({2, 5, 4}, torch::kFloat64);
    w = torch::randn({2, 5, 3}, torch::kFloat64);
  }

  Pass parts() { return net->propagate_parts(x).front(); }

  /// Which of the parts behind x (0 to 3, the last being the read-out) a parameter belongs to.
  static int part_of(const std::string& name) {
    if (name.rfind("read_out", 0) == 0) {
      return 3;
    }
    if (name.rfind("block.attention", 0) == 0 || name.rfind("block.norm1", 0) == 0) {
      return 0;
    }
    return name.rfind("block.up", 0) == 0 ? 1 : 2;
  }

  WithReadOut module{nullptr};
  TransformerBlock block{nullptr};
  torch::nn::Linear read_out{nullptr};
  Hybrid net;
  torch::Tensor x, w;
};

TEST_P(TransformerBlockTapsTest, StandBehindTheNormsAndTheActivation) {
  const auto pass = parts();
  const auto at_taps = net->taps(0, pass);
  ASSERT_EQ(at_taps.size(), 3U);
  const torch::NoGradGuard no_grad;
  const auto h = slow_norm(block->norm1, x + slow_attention(block->attention, x));
  expect_close(at_taps[0].detach(), h, 1e-12);
  expect_close(at_taps[1].detach(), slow_gelu(slow_map(block->up, h)), 1e-12);
  expect_close(at_taps[2].detach(), slow_block(block, x), 1e-12);
  EXPECT_TRUE(pass.output.equal(net->propagate(x).front().output));
}

TEST_P(TransformerBlockTapsTest, NothingLeaksPastATap) {
  auto& layer = net->layer(0);
  const auto pass = parts();
  std::vector<torch::Tensor> zeros;
  for (const auto& at_tap : net->taps(0, pass)) {
    zeros.push_back(at::zeros_like(at_tap));
  }
  net->tap_update(0, pass, zeros);
  EXPECT_FALSE(layer.pullback(pass, at::zeros_like(w)).any().item<bool>());
  for (const auto& [name, gradient] : take_all_gradients(*module)) {
    EXPECT_FALSE(gradient.any().item<bool>()) << name;
  }
  // One signal at a time, the true loss behind it or not: only its own part learns, by no residual path
  // another.
  for (int taught = 0; taught < 4; ++taught) {
    auto signals = zeros;
    if (taught < 3) {
      signals[static_cast<size_t>(taught)] = torch::randn_like(zeros[static_cast<size_t>(taught)]);
    }
    net->tap_update(0, pass, signals);
    const auto dL_dx = layer.pullback(pass, taught == 3 ? w : at::zeros_like(w));
    EXPECT_FALSE(dL_dx.any().item<bool>());
    for (const auto& [name, gradient] : take_all_gradients(*module)) {
      EXPECT_EQ(gradient.any().item<bool>(), part_of(name) == taught) << name << ", " << taught;
    }
  }
}

TEST_P(TransformerBlockTapsTest, TheErrorAtTheOutputTeachesTheLastPartOnly) {
  auto& layer = net->layer(0);
  const auto pass = parts();
  std::vector<torch::Tensor> signals;
  for (const auto& at_tap : net->taps(0, pass)) {
    signals.push_back(torch::randn_like(at_tap));
  }
  const auto gradients = [&](const torch::Tensor& dL_dy) {
    net->tap_update(0, pass, signals);
    layer.pullback(pass, dL_dy);
    return take_all_gradients(*module);
  };
  const auto one = gradients(w), other = gradients(1e6 * torch::randn_like(w));
  for (const auto& [name, gradient] : one) {
    EXPECT_EQ(gradient.equal(other.at(name)), part_of(name) < 3) << name;
    EXPECT_TRUE(gradient.any().item<bool>()) << name;
  }
}

TEST_P(TransformerBlockTapsTest, TrueSignalsAddUpToTheTrueGradient) {
  auto& layer = net->layer(0);
  layer.pullback(net->propagate(x).front(), w);
  const auto expected = take_all_gradients(*module);

  const auto h = block->norm1(x + block->attention(x));
  const auto a = at::gelu(block->up(h));
  const auto y = block->norm2(h + block->down(a));
  const auto signals = torch::autograd::grad({(read_out(y) * w).sum()}, {h, a, y});
  take_all_gradients(*module);  // optical layers have learnt on the way
  const auto pass = parts();
  net->tap_update(0, pass, signals);
  layer.pullback(pass, w);
  for (const auto& [name, gradient] : take_all_gradients(*module)) {
    expect_close(gradient, expected.at(name), 1e-12, name);
  }
}

TEST_P(TransformerBlockTapsTest, AreNothingWithoutARule) {
  auto plain = make_block(TransformerBlockOptions(block->options).taps(Taps::none));
  const torch::NoGradGuard no_grad;
  for (auto& item : plain->named_parameters()) {
    item.value().copy_(block->named_parameters()[item.key()]);
  }
  EXPECT_TRUE(block->forward(x).equal(plain->forward(x)));
  const torch::AutoGradMode with_graph(true);
  EXPECT_SAYS(block->forward(x), "Put the model into a Hybrid");
  EXPECT_NO_THROW(plain->forward(x));
}

INSTANTIATE_TEST_SUITE_P(All, TransformerBlockTapsTest, ::testing::ValuesIn(all_maps),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace optotorch
