#include <gtest/gtest.h>
#include <optotorch/modules/differentiable.h>
#include <optotorch/modules/freeze.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/layer_test.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adamw.h>
#include <torch/serialize.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::functional;

class FreezeTest : public testing::LayerTest {
 protected:
  void expect_without_gradients() const {
    for (const auto& item : layer->named_parameters()) {
      EXPECT_FALSE(item.value().grad().defined()) << item.key();
    }
  }
};

TEST_P(FreezeTest, AFrozenLayerHandsSignalsOnAndGetsNoGradient) {
  const auto w = weights_for(layer->propagate(x).output);
  layer->pullback(layer->propagate(x), w);
  torch::Tensor expected;
  const auto gradients = gradients_by_pullback(w, &expected);
  layer->pullback(layer->propagate(x), w);  // a gradient that it loses
  freeze(*layer);
  EXPECT_FALSE(is_trainable(*layer));
  expect_without_gradients();
  for (const auto hook : {&Layer::pullback, &Layer::dfa_update, &Layer::dat_update}) {
    EXPECT_TRUE(((*layer).*hook)(layer->propagate(x), w, true).equal(expected));
  }
  if (!GetParam().measures) {
    layer->tpfp_update(layer->propagate(x), w, false);
  }
  const auto leaf = x.clone().requires_grad_();
  functional(w, differentiable(layer)->forward(leaf)).backward();
  testing::expect_close(leaf.grad(), expected, 1e-14, "input");
  EXPECT_FALSE(differentiable(layer)->forward(x).requires_grad());
  expect_without_gradients();
  unfreeze(*layer);
  EXPECT_EQ(is_trainable(*layer), !layer->parameters().empty());
  EXPECT_TRUE(layer->pullback(layer->propagate(x), w).equal(expected));
  expect_equal(take_gradients(), gradients, "unfrozen");
}

TEST_P(FreezeTest, OneParameterAlone) {
  const auto all = layer->named_parameters();
  for (const auto& frozen : all) {
    auto parameter = frozen.value();
    parameter.requires_grad_(false);
    layer->pullback(layer->propagate(x), weights_for(layer->propagate(x).output));
    for (auto& [name, gradient] : take_gradients()) {
      EXPECT_EQ(gradient.defined(), name != frozen.key()) << name;
    }
    parameter.requires_grad_(true);
  }
}

TEST_P(FreezeTest, CopiesAndFilesKeepIt) {
  if (layer->parameters().empty()) {
    return;
  }
  for (const auto& frozen : std::vector<std::vector<std::string>>{
           {}, {layer->named_parameters().keys().back()}, layer->named_parameters().keys()}) {
    set_frozen(*layer, frozen);
    EXPECT_EQ(frozen_parameters(*layer), frozen);
    EXPECT_EQ(frozen_parameters(*layer->clone()), frozen);
    Hybrid net, other;
    net->push_back(layer);
    auto copy = net->clone();
    EXPECT_EQ(frozen_parameters(*copy).size(), frozen.size());
    std::stringstream file, of_net;
    torch::save(layer, file);
    torch::save(net, of_net);
    auto loaded = GetParam().make();
    loaded->to(torch::kFloat64);
    freeze(*loaded);
    torch::load(loaded, file);
    EXPECT_EQ(frozen_parameters(*loaded), frozen);
    unfreeze(*loaded);
    other->push_back(loaded);
    torch::load(other, of_net);
    EXPECT_EQ(frozen_parameters(*loaded), frozen);
  }
}

// The idiom of LibTorch's users must not lose the optics, and weight decay moves nothing that is frozen.
TEST_P(FreezeTest, OptimisersOfWhatLearnsStepWhatLearns) {
  const auto keys = layer->named_parameters().keys();
  if (keys.empty()) {
    return;
  }
  set_frozen(*layer, {keys.front()});
  std::vector<torch::Tensor> learning;
  for (const auto& parameter : layer->parameters()) {
    if (parameter.requires_grad()) {
      learning.push_back(parameter);
    }
  }
  EXPECT_EQ(learning.size() + 1, keys.size());
  const auto before = copy(state(*layer));
  const torch::optim::AdamWOptions options = torch::optim::AdamWOptions(0.1).weight_decay(0.5);
  torch::optim::AdamW of_all(layer->parameters(), options);
  of_all.zero_grad();
  layer->pullback(layer->propagate(x), weights_for(layer->propagate(x).output));
  of_all.step();
  for (const auto& item : layer->named_parameters()) {
    EXPECT_EQ(item.value().equal(before.at(item.key())), item.key() == keys.front()) << item.key();
  }
}

INSTANTIATE_TEST_SUITE_P(All, FreezeTest, ::testing::ValuesIn(testing::layer_cases()), testing::row_name);

TEST(FreezeTest, NamesOfAnotherNetworkChangeNothing) {
  torch::nn::Linear linear(3, 2);
  EXPECT_SAYS(set_frozen(*linear, {"weight", "theta"}), "'theta'");
  EXPECT_TRUE(frozen_parameters(*linear).empty());
}

TEST(FreezeTest, AHolderIsItsModule) {
  MziMesh mesh(4);
  torch::nn::Linear linear(3, 2);
  freeze(mesh);
  freeze(linear);
  EXPECT_FALSE(is_trainable(*mesh) || is_trainable(*linear));
  unfreeze(mesh);
  unfreeze(linear);
  EXPECT_TRUE(is_trainable(*mesh) && is_trainable(*linear));
}

// Where signals enter is a matter of the network.
TEST(FreezeTest, BlocksStayAsTheyAre) {
  Hybrid net(MziMesh(4), Photodetector(), torch::nn::Linear(4, 2));
  freeze(net->layer(0));
  ASSERT_EQ(net->trainable_blocks().size(), 2U);
  EXPECT_FALSE(net->learns(net->blocks()[0]));
  EXPECT_TRUE(net->learns(net->blocks()[1]));
}

}  // namespace
}  // namespace optotorch
