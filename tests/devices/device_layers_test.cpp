// Every layer on a device that has no kernel of ours: forward and backward are those of the CPU, and no tensor of the
// CPU slips in.

#include <devices/other_device.h>
#include <gtest/gtest.h>
#include <support/differences.h>
#include <support/layer_test.h>

namespace optotorch {
namespace {

using testing::expect_close;

class DeviceLayersTest : public testing::LayerTest {};

TEST_P(DeviceLayersTest, ForwardAndPullback) {
  const auto expected = layer->propagate(x);
  const auto w = weights_for(expected.output);
  torch::Tensor expected_signal;
  const auto expected_gradients = gradients_by_pullback(w, &expected_signal);
  const auto twin = layer->clone();
  auto moved = std::dynamic_pointer_cast<Layer>(twin);
  ASSERT_NE(moved, nullptr);
  moved->to(testing::other_device);
  for (const auto& item : moved->named_parameters()) {
    EXPECT_EQ(item.value().device().type(), testing::other_device) << item.key();
  }
  const auto pass = moved->propagate(x.to(testing::other_device));
  EXPECT_EQ(pass.output.device().type(), testing::other_device);
  EXPECT_EQ(pass.output.strides(), expected.output.strides());
  expect_close(pass.output.cpu(), expected.output, 1e-12, "output");
  const auto signal = moved->pullback(pass, w.to(testing::other_device));
  expect_close(signal.cpu(), expected_signal, 1e-11, "signal");
  for (const auto& item : moved->named_parameters()) {
    expect_close(item.value().grad().cpu(), expected_gradients.at(item.key()), 1e-11, item.key());
  }
  // What it learnt on the way, as a mean of batches, is another's after another number of passes.
  layer->eval();
  const auto served = std::dynamic_pointer_cast<Layer>(layer->clone(torch::Device(testing::other_device)));
  expect_close(served->forward(x.to(testing::other_device)).cpu(), layer->forward(x), 1e-12, "deployed");
}

INSTANTIATE_TEST_SUITE_P(All, DeviceLayersTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

}  // namespace
}  // namespace optotorch
