// Whole transformers in a Hybrid: images and text, electronic and optical maps.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/tap.h>
#include <optotorch/modules/transformer/patch_embedding.h>
#include <optotorch/modules/transformer/token_embedding.h>
#include <optotorch/modules/transformer/token_mean.h>
#include <optotorch/modules/transformer/transformer_block.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <support/differences.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/serialize.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

struct NetworkCase {
  std::string name;
  bool text = false;  ///< or images
  TransformerBlockOptions block;
};

void PrintTo(const NetworkCase& row, std::ostream* stream) {
  *stream << row.name;
}

TransformerBlockOptions small() {
  return TransformerBlockOptions(4, 2).hidden(6);
}

std::vector<NetworkCase> network_cases() {
  return {{"Images", false, small()},
          {"ImagesPreNorm", false, small().norm(Norm::pre)},
          {"ImagesWeightBank", false, small().maps(Maps::weight_bank)},
          {"ImagesMziLinear", false, small().maps(Maps::mzi_linear)},
          {"Text", true, small().causal(true)},
          {"TextTaps", true, small().causal(true).taps(Taps::micro)},
          {"TextWeightBankTaps", true, small().causal(true).maps(Maps::weight_bank).taps(Taps::micro)},
          {"TextMziLinearPreNorm", true, small().causal(true).maps(Maps::mzi_linear).norm(Norm::pre)}};
}

constexpr int64_t vocabulary = 5, context = 6, classes = 3;

/// Means over everything: each token of text has a class, or each image.
torch::Tensor cross_entropy(const torch::Tensor& y, const torch::Tensor& target) {
  return at::cross_entropy_loss(y.flatten(0, -2), target.flatten());
}

class TransformerNetworkTest : public ::testing::TestWithParam<NetworkCase> {
 protected:
  TransformerNetworkTest() { torch::manual_seed(6); }

  static Hybrid make() {
    const auto& row = GetParam();
    const TransformerBlock first(row.block), second(row.block);
    if (row.text) {
      return Hybrid(TokenEmbedding(vocabulary, context, 4), first, second, torch::nn::Linear(4, vocabulary));
    }
    return Hybrid(PatchEmbedding(PatchEmbeddingOptions(2, 6, 3, 4)), first, second, TokenMean(),
                  torch::nn::Linear(4, classes));
  }

  static torch::Tensor input(int64_t batch, torch::ScalarType type, int64_t tokens = context) {
    return GetParam().text ? torch::randint(vocabulary, {batch, tokens}, torch::kInt64)
                           : torch::randn({batch, 2, 6, 6}, type);
  }

  static torch::Tensor target(const torch::Tensor& x) {
    return GetParam().text ? x.roll(1, 1) : torch::randint(classes, {x.size(0)}, torch::kInt64);
  }
};

TEST_P(TransformerNetworkTest, BackPropagationIsAutograd) {
  auto net = make();
  net->to(torch::kFloat64);
  const auto x = input(3, torch::kFloat64), t = target(x);
  BackPropagation rule;
  const auto result = rule.step(*net, x, t, cross_entropy);
  std::map<std::string, torch::Tensor> gradients;
  for (auto& item : net->named_parameters()) {
    gradients[item.key()] = item.value().grad();
    item.value().mutable_grad() = torch::Tensor();
  }
  torch::Tensor y = x;
  {
    const TapScope scope(TapScope::Mode::through);
    for (const auto& module : net->children()) {
      if (const auto block = std::dynamic_pointer_cast<TransformerBlockImpl>(module)) {
        y = block->forward(y);
      } else if (const auto patches = std::dynamic_pointer_cast<PatchEmbeddingImpl>(module)) {
        y = patches->forward(y);
      } else if (const auto tokens = std::dynamic_pointer_cast<TokenEmbeddingImpl>(module)) {
        y = tokens->forward(y);
      } else if (const auto mean = std::dynamic_pointer_cast<TokenMeanImpl>(module)) {
        y = mean->forward(y);
      } else {
        y = std::dynamic_pointer_cast<torch::nn::LinearImpl>(module)->forward(y);
      }
    }
  }
  const auto loss = cross_entropy(y, t);
  EXPECT_NEAR(result.loss.item<double>(), loss.item<double>(), 1e-14);
  loss.backward();
  for (const auto& item : net->named_parameters()) {
    expect_close(gradients.at(item.key()), item.value().grad(), 1e-10, item.key());
  }
}

TEST_P(TransformerNetworkTest, GradientsOfOpticalMapsAreDerivatives) {
  if (GetParam().block.maps() == Maps::electronic) {
    return;  // LibTorch's
  }
  auto net = make();
  net->to(torch::kFloat64);
  const auto x = input(2, torch::kFloat64, 3), t = target(x);
  BackPropagation().step(*net, x, t, cross_entropy);
  const auto loss = [&] {
    return cross_entropy(net->propagate(x, 0, Keep::nothing).back().output, t).item<double>();
  };
  int64_t checked = 0;
  for (auto& item : net->named_parameters()) {
    // Those of the first block: they have the longest way.
    if (item.key().starts_with("1.") && item.key().find(".optics.") != std::string::npos) {
      expect_close(item.value().grad(), testing::central_differences(loss, item.value().detach()), 1e-7,
                   item.key());
      ++checked;
    }
  }
  EXPECT_GE(checked, 6);
}

// The last block's signal enters behind the mean of the tokens; every block gets all of its gradients by
// itself, without one for its input.
TEST_P(TransformerNetworkTest, ARuleReachesEveryParameter) {
  auto net = make();
  const size_t blocks = net->trainable_blocks().size();
  EXPECT_EQ(blocks, 4U);
  EXPECT_EQ(net->blocks()[2].end, GetParam().text ? 3U : 4U);
  const auto x = input(4, torch::kFloat32);
  const Loss square = [](const torch::Tensor& y, const torch::Tensor&) { return y.square().mean(); };
  DirectFeedback().step(*net, x, {}, square);
  for (const auto& item : net->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_TRUE(item.value().grad().any().item<bool>()) << item.key();
  }
}

TEST_P(TransformerNetworkTest, TrainsInBothPrecisions) {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    torch::manual_seed(7);
    auto net = make();
    net->to(type);
    const auto x = input(8, type), t = target(x);
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
    BackPropagation rule;
    double first = 0, last = 0;
    for (int step = 0; step < 40; ++step) {
      optimizer.zero_grad();
      last = rule.step(*net, x, t, cross_entropy).loss.item<double>();
      first = step == 0 ? last : first;
      optimizer.step();
    }
    EXPECT_LT(last, 0.8 * first);
  }
}

TEST_P(TransformerNetworkTest, IsCopiedSavedAndLoaded) {
  auto net = make();
  net->to(torch::kFloat64);
  const auto copy = std::dynamic_pointer_cast<HybridImpl>(net->clone());
  ASSERT_NE(copy, nullptr);
  std::stringstream file;
  torch::save(net, file);
  auto loaded = make();
  loaded->to(torch::kFloat64);
  const auto x = input(3, torch::kFloat64);
  net->eval();
  copy->eval();
  loaded->eval();
  const auto y = net->forward(x);
  EXPECT_FALSE(loaded->forward(x).equal(y));
  torch::load(loaded, file);
  EXPECT_TRUE(loaded->forward(x).equal(y));
  EXPECT_TRUE(copy->forward(x).equal(y));
  const torch::NoGradGuard no_grad;
  for (auto& parameter : net->parameters()) {
    parameter.add_(torch::randn_like(parameter));
  }
  EXPECT_TRUE(copy->forward(x).equal(y));
}

TEST_P(TransformerNetworkTest, IsExportedForAnyBatchAndLength) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/model.pt";
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    auto net = make();
    net->to(type);
    const auto example = input(3, type, 4);
    EXPECT_LE(export_torchscript(net, example, path), type == torch::kFloat64 ? 1e-14 : 1e-6);
    EXPECT_TRUE(net->is_training());
    net->eval();
    auto reloaded = torch::jit::load(path);
    for (const int64_t batch : {1, 3, 10}) {
      for (const int64_t tokens : {1, 4, 6}) {
        const auto x = input(batch, type, tokens);
        const auto got = reloaded.forward({x}).toTensor();
        expect_close(got, net->forward(x), type == torch::kFloat64 ? 1e-14 : 1e-6,
                     c10::str(batch, " samples, ", tokens, " tokens"));
      }
    }
    const auto graph = reloaded.get_method("forward").graph()->toString();
    EXPECT_EQ(graph.find("optotorch"), std::string::npos) << graph;
    EXPECT_EQ(graph.find("aminmax"), std::string::npos) << graph;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TransformerNetworkTest, ::testing::ValuesIn(network_cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace optotorch
