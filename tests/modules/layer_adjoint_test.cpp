// Layer::adjoint, the map of light that is sent backwards through a layer or its twin.

#include <gtest/gtest.h>
#include <support/layer_test.h>

namespace optotorch {
namespace {

using testing::functional;

class LayerAdjointTest : public testing::LayerTest {};

// What `adjoint` gives, as opposed to the pull-back at x: every batch, also of other sizes than the sample's.
TEST_P(LayerAdjointTest, AdjointIsThatOfTheLinearMap) {
  if (!GetParam().affine) {
    return;  // nonlinear
  }
  const auto adjoint = layer->adjoint(x);
  for (const int64_t samples : {batch, int64_t{1}, int64_t{7}}) {
    const auto more = testing::random_batch(GetParam(), samples, torch::kFloat64);
    const auto w_x = layer->propagate(more).output - layer->propagate(at::zeros_like(more)).output;
    const auto u = weights_for(w_x);
    const auto back = adjoint.apply(u);
    ASSERT_EQ(back.sizes(), more.sizes());
    ASSERT_EQ(back.scalar_type(), more.scalar_type());
    EXPECT_FALSE(back.requires_grad());
    if (more.is_complex() && u.is_complex()) {
      const auto left = at::vdot(w_x.flatten(), u.flatten()),
                 right = at::vdot(more.flatten(), back.flatten());
      EXPECT_LE((left - right).abs().item<double>(), 1e-12 * left.abs().item<double>()) << samples;
    } else {
      const double left = functional(w_x, u).item<double>();
      EXPECT_NEAR(left, functional(more, back).item<double>(), 1e-12 * std::abs(left)) << samples;
    }
  }
}

TEST_P(LayerAdjointTest, AdjointStaysAsItWasAndLeavesTheLayerAlone) {
  if (GetParam().meshes > 1) {
    EXPECT_THROW(layer->adjoint(x), c10::ValueError);  // not linear, and not seen from behind
    return;
  }
  // Values that would be wiped out or added to.
  for (auto& parameter : layer->parameters()) {
    parameter.mutable_grad() = torch::full_like(parameter, 0.25);
  }
  const auto before = copy(state(*layer));
  const bool training = layer->is_training();
  const auto adjoint = layer->adjoint(x);
  const auto u = weights_for(layer->propagate(x).output);
  const auto first = adjoint.apply(u).clone();
  EXPECT_TRUE(adjoint.apply(u).equal(first));
  EXPECT_EQ(layer->is_training(), training);
  for (const auto& item : layer->named_parameters()) {
    EXPECT_TRUE(item.value().equal(before.at(item.key()))) << item.key();
    EXPECT_TRUE(item.value().grad().equal(torch::full_like(item.value(), 0.25))) << item.key();
  }
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : layer->parameters()) {
      parameter.mul_(1.3).add_(0.1);
    }
  }
  EXPECT_TRUE(adjoint.apply(u).equal(first)) << "it follows the layer";
  const auto changed = layer->adjoint(x);
  if (layer->role() == Layer::Role::component && GetParam().affine && !layer->parameters().empty()) {
    EXPECT_FALSE(changed.apply(u).equal(first)) << "the layer has changed";
  }
  // Its tensors are all there is to it: what a checkpoint keeps.
  ASSERT_EQ(changed.tensors.size(), adjoint.tensors.size());
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < adjoint.tensors.size(); ++i) {
    torch::Tensor to = changed.tensors[i];
    ASSERT_EQ(to.sizes(), adjoint.tensors[i].sizes());
    EXPECT_FALSE(to.is_alias_of(adjoint.tensors[i]));
    to.copy_(adjoint.tensors[i]);
  }
  EXPECT_TRUE(changed.apply(u).equal(first)) << "restored";
}

TEST_P(LayerAdjointTest, AdjointOfAResponseHandsOn) {
  if (layer->role() != Layer::Role::response) {
    return;
  }
  layer->eval();
  const auto dark = layer->propagate(at::zeros_like(x));
  const auto u = weights_for(dark.output);
  EXPECT_TRUE(layer->adjoint(x).apply(u).equal(layer->tpfp_update(dark, u, /*to_input=*/true)));
}

INSTANTIATE_TEST_SUITE_P(All, LayerAdjointTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

}  // namespace
}  // namespace optotorch
