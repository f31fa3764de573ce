// Every layer with every rule: the layer stands in the middle of a small network, one step is run.

#include <gtest/gtest.h>
#include <optotorch/modules/weights.h>
#include <optotorch/trainers/rules/annealing.h>
#include <support/layer_cases.h>
#include <support/rule_table.h>
#include <torch/optim/adam.h>

#include <tuple>

namespace optotorch {
namespace {

using testing::case_batch;
using testing::LayerCase;
using testing::outputs;
using testing::rule_cases;
using testing::RuleCase;
using testing::surround;

class RuleLayerTableTest : public ::testing::TestWithParam<std::tuple<RuleCase, LayerCase>> {};

TEST_P(RuleLayerTableTest, OneStepTrainsExactlyWhatItShould) {
  const auto& [rule_case, row] = GetParam();
  torch::manual_seed(7);
  auto [net, position, input] = surround(row, rule_case.physical);
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  const auto rule = rule_case.make();
  if (rule_case.two_pass && row.meshes > 1) {
    // Two passes give a signal at the last mesh only: what stands at the others nobody can tell.
    EXPECT_THROW(rule->step(*net, input, target, loss), c10::ValueError);
    return;
  }

  const auto result = rule->step(*net, input, target, loss);
  EXPECT_EQ(result.output.sizes(), (at::IntArrayRef{case_batch, outputs}));
  EXPECT_EQ(result.loss.dim(), 0);
  EXPECT_TRUE(std::isfinite(result.loss.item<double>()));
  EXPECT_FALSE(result.output.requires_grad());
  EXPECT_FALSE(result.loss.requires_grad());
  EXPECT_FALSE(net->forward(input).requires_grad());
  EXPECT_FALSE(input.requires_grad());

  const std::string head = std::to_string(net->size() - 1) + ".";
  std::map<std::string, torch::Tensor> before;
  // Adaptive training measures behind the first mesh of several, which keeps its phases.
  const bool measures_first = rule_case.name == "AdaptiveTraining" && row.meshes > 1;
  const std::string first_mesh = c10::str(position, ".0.");
  const auto trained = [&](const std::string& name) {
    return (!rule_case.head_only || name.rfind(head, 0) == 0) &&
           !(measures_first && name.starts_with(first_mesh));
  };
  for (auto& item : net->named_parameters()) {
    const auto& grad = item.value().grad();
    before[item.key()] = item.value().detach().clone();
    if (!trained(item.key())) {
      EXPECT_FALSE(grad.defined()) << item.key();
      continue;
    }
    ASSERT_TRUE(grad.defined()) << item.key();
    EXPECT_EQ(grad.sizes(), item.value().sizes()) << item.key();
    EXPECT_EQ(grad.scalar_type(), item.value().scalar_type()) << item.key();
    EXPECT_FALSE(grad.requires_grad()) << item.key();
    EXPECT_TRUE(grad.isfinite().all().item<bool>()) << item.key();
    EXPECT_GT(grad.abs().max().item<double>(), 0) << item.key();
  }

  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
  optimizer.step();
  for (auto& item : net->named_parameters()) {
    EXPECT_NE(item.value().equal(before.at(item.key())), trained(item.key())) << item.key();
  }
  // The trained network still works: a second step on the same rule.
  optimizer.zero_grad();
  EXPECT_TRUE(std::isfinite(rule->step(*net, input, target, loss).loss.item<double>()));
}

// Every rule leaves a frozen layer as it is and teaches the others what it taught them before, also where the
// optimiser has weight decay.
TEST_P(RuleLayerTableTest, AFrozenLayerStaysAsItIs) {
  const auto& [rule_case, row] = GetParam();
  if ((rule_case.two_pass && row.meshes > 1) || row.make()->parameters().empty()) {
    return;
  }
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  std::map<std::string, torch::Tensor> expected;
  for (const bool frozen : {false, true}) {
    torch::manual_seed(7);
    auto [net, position, input] = surround(row, rule_case.physical);
    auto& layer = net->layer(position);
    if (frozen) {
      freeze(layer);
    }
    rule_case.make()->step(*net, input, target, loss);
    if (!frozen) {
      for (const auto& item : net->named_parameters()) {
        expected[item.key()] = item.value().grad();
      }
      continue;
    }
    const std::string prefix = std::to_string(position) + ".";
    std::map<std::string, torch::Tensor> before;
    for (const auto& item : net->named_parameters()) {
      before[item.key()] = item.value().detach().clone();
      const auto& grad = item.value().grad();
      if (item.key().starts_with(prefix)) {
        EXPECT_FALSE(grad.defined()) << item.key();
        continue;
      }
      ASSERT_EQ(grad.defined(), expected.at(item.key()).defined()) << item.key();
      EXPECT_TRUE(!grad.defined() || rule_case.shared || grad.equal(expected.at(item.key()))) << item.key();
    }
    torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(1e-2).weight_decay(.1));
    adam.step();
    for (const auto& item : net->named_parameters()) {
      const bool moves = !item.key().starts_with(prefix) && expected.at(item.key()).defined();
      EXPECT_EQ(item.value().equal(before.at(item.key())), !moves) << item.key();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RuleLayerTableTest,
                         ::testing::Combine(::testing::ValuesIn(rule_cases()),
                                            ::testing::ValuesIn(testing::layer_cases())),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
                         });

// Annealing knows discrete read-outs alone: it searches their weights and teaches nothing else.
class RuleLayerTableAnnealingTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(RuleLayerTableAnnealingTest, SearchesADiscreteReadoutAndNothingElse) {
  torch::manual_seed(7);
  auto [net, position, input] = surround(GetParam(), /*physical=*/false);
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  Annealing rule(AnnealingOptions().cost(AnnealingCost::loss).n0(2).trials(30));
  const auto weights_before = weights_of(*net);
  auto* const readout = dynamic_cast<DiscreteReadout*>(&net->layer(position));
  if (readout == nullptr) {
    EXPECT_THROW(rule.step(*net, input, target, loss), c10::ValueError);
  } else {
    const double before = loss(net->forward(input), target).item<double>();
    rule.step(*net, input, target, loss);
    EXPECT_LT(loss(net->forward(input), target).item<double>(), before);
    EXPECT_TRUE(readout->weight.equal(readout->discrete_weight()));
  }
  const std::string searched = readout == nullptr ? "none" : std::to_string(position) + ".weight";
  for (const auto& item : net->named_parameters()) {
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
    EXPECT_EQ(item.value().equal(weights_before.at(item.key())), item.key() != searched) << item.key();
  }
}

INSTANTIATE_TEST_SUITE_P(All, RuleLayerTableAnnealingTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

// Down the gradient: on every layer, twenty steps of back-propagation lower the loss of one batch.
class RuleLayerTableDescentTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(RuleLayerTableDescentTest, BackPropagationLowersTheLoss) {
  torch::manual_seed(11);
  auto [net, position, input] = surround(GetParam(), /*physical=*/false);
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  BackPropagation rule;
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
  double first = 0, last = 0;
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    last = rule.step(*net, input, target, loss).loss.item<double>();
    first = step == 0 ? last : first;
    optimizer.step();
  }
  EXPECT_LT(last, 0.9 * first);
}

INSTANTIATE_TEST_SUITE_P(All, RuleLayerTableDescentTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

}  // namespace
}  // namespace optotorch
