// Every rule with every layer on a device that has no kernel of ours: one step teaches what it does on the CPU.

#include <devices/other_device.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <support/differences.h>
#include <support/rule_table.h>

#include <map>
#include <string>
#include <tuple>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::LayerCase;
using testing::other_device;
using testing::RuleCase;

class DeviceRulesTest : public ::testing::TestWithParam<std::tuple<RuleCase, LayerCase>> {};

TEST_P(DeviceRulesTest, OneStep) {
  const auto& [rule_case, row] = GetParam();
  if (rule_case.two_pass && row.meshes > 1) {
    return;  // an error on any device
  }
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  std::map<std::string, torch::Tensor> expected;
  for (const auto device : {torch::kCPU, other_device}) {
    torch::manual_seed(7);
    auto [net, position, input] = testing::surround(row, rule_case.physical);
    const auto target = torch::randn({testing::case_batch, testing::outputs}, torch::kDouble).to(device);
    net->to(torch::kFloat64);
    net->to(device);
    for (size_t n = 0; n < net->size(); ++n) {
      if (const auto placed = placed_at(*net, n)) {
        for (const auto& correction : placed->network->corrections()) {  // several networks may share one
          correction->to(device, torch::kFloat64);
        }
      }
    }
    const auto result = rule_case.make()->step(*net, input.to(device, torch::kFloat64), target, loss);
    EXPECT_EQ(result.output.device().type(), device);
    std::map<std::string, torch::Tensor> found{{"output", result.output.cpu()}};
    for (const auto& item : net->named_parameters()) {
      if (const auto& grad = item.value().grad(); grad.defined()) {
        EXPECT_EQ(grad.device().type(), device) << item.key();
        found[item.key()] = grad.cpu();
      }
    }
    if (device == torch::kCPU) {
      expected = found;
      continue;
    }
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, value] : expected) {
      expect_close(found.at(name), value, 1e-8, name);
    }
  }
}

/// One layer of a kind: what each computes there, device_layers_test tells.
std::vector<LayerCase> some_layers() {
  std::vector<LayerCase> result;
  for (const auto& row : testing::layer_cases()) {
    for (const char* name :
         {"Mesh", "ImperfectMesh", "PhysicalNetworkOfThreeMeshes", "MziLinearTall", "WeightBank",
          "BlockDiagonal", "ConvolutionOfAMesh", "Conv2d", "BatchNorm1d", "TransformerBlock",
          "DiffractiveLayer", "SpectralFilterBank", "LaserReservoir", "TernaryReadout"}) {
      if (row.name == name) {
        result.push_back(row);
      }
    }
  }
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, DeviceRulesTest,
                         ::testing::Combine(::testing::ValuesIn(testing::rule_cases()),
                                            ::testing::ValuesIn(some_layers())),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
                         });

}  // namespace
}  // namespace optotorch
