// Every network that the program knows with every rule that it knows: a few steps as `optotorch train` makes
// them, then an export.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/optim/adam.h>

#include <algorithm>
#include <set>

#include "runs/presets.h"
#include "runs/rules.h"
#include "runs/run_data.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

const std::set<std::string> electronic = {"mnist-weight-bank", "mnist-1024", "mnist-mlp",
                                          "slices-electronic"};

const std::set<std::string> in_laboratory = {"mpnn-in-situ", "mpnn-published"};

/// Why a network cannot be trained by a rule; empty if it can.
std::string obstacle(const std::string& preset, const std::string& rule) {
  const bool delays_light = rule == "quadrature" || rule == "quadrature-twin";
  const bool reads_fields = rule == "homodyne-random" || rule == "tpfp-field" || rule == "tpfp-sloped";
  const std::set<std::string> for_laboratories = {"in-silico",  "pat",         "pat-output",   "at",
                                                  "dat-output", "dat-unitary", "dat-separable"};
  if (for_laboratories.count(rule) != in_laboratory.count(preset)) {
    return "laboratory";
  }
  const auto& only = find_preset(preset).rules;
  if (!only.empty() && std::find(only.begin(), only.end(), rule) == only.end()) {
    return "'bp'";
  }
  if (reads_fields && (electronic.count(preset) != 0 || preset == "mnist-in-situ")) {
    return "needs fields";
  }
  return delays_light && electronic.count(preset) != 0 ? "needs light" : "";
}

/// Seconds for a network of this size: one such rule is enough.
bool too_dear(const std::string& preset, const std::string& rule) {
  // Weight mirroring estimates a dense matrix, of 1,568 or 7,840 rows here.
  const std::set<std::string> wide = {"slices-columns-rows", "slices-direct", "slices-patches"};
  return (preset == "mnist-mesh784" && rule != "tpfp") || (wide.count(preset) != 0 && rule == "tpfp-mirror");
}

Batch samples(const RunConfig& config) {
  if (find_preset(config.model).text) {
    const auto windows = example_input(config, 3);
    return {windows, windows.roll(-1, 1)};
  }
  const ImageBatches batches(MNIST(OPTOTORCH_SOURCE_DIR "/data", MNIST::Mode::test), 16);
  return batches.batch(0, 0);
}

std::vector<torch::Tensor> copies(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> result;
  for (const auto& tensor : tensors) {
    result.push_back(tensor.detach().clone());
  }
  return result;
}

class PresetsTest : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(PresetsTest, TrainsAndExports) {
  const auto& [preset_name, rule_name] = GetParam();
  const auto& preset = find_preset(preset_name);
  RunConfig config{.model = preset_name, .rule = rule_name, .seed = 1, .classes = 10};
  RuleContext context{.seed = 1, .epochs = 10, .steps_per_epoch = 10};
  if (const auto why = obstacle(preset_name, rule_name); !why.empty()) {
    EXPECT_SAYS(make_rule(rule_name, preset, context), why);
    return;
  }
  if (in_laboratory.count(preset_name) != 0) {
    config.laboratory.calibration = config.laboratory.warm_up = 0;
    config = resolve(config);
    context.laboratory = config.laboratory;
  }
  auto net = make_network(config);
  const auto rule = make_rule(rule_name, preset, context);
  const auto [data, target] = samples(config);
  const Loss loss = loss_of(config);
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(preset.learning_rate));
  const auto before = copies(net->parameters());
  // Most read-outs begin at zero: in the first step nothing comes back through them, and `adjoint` looks at
  // them again after `refresh` steps only.
  for (int64_t step = 0; step <= preset.two_pass.refresh(); ++step) {
    optimizer.zero_grad();
    EXPECT_TRUE(std::isfinite(rule->step(*net, data, target, loss).loss.item<double>())) << step;
    optimizer.step();
  }
  for (const auto& parameter : net->named_parameters()) {
    EXPECT_TRUE(parameter.value().isfinite().all().item<bool>()) << parameter.key();
  }
  const auto blocks = net->trainable_blocks();
  EXPECT_GE(blocks.size(), in_laboratory.count(preset_name) != 0 ? 1U : 2U);
  size_t parameter = 0;
  for (size_t b = 0; b < blocks.size(); ++b) {
    bool moved = false;
    for (size_t layer = blocks[b].begin; layer < blocks[b].end; ++layer) {
      for (const auto& after : net->layer(layer).parameters()) {
        moved = !after.equal(before.at(parameter++)) || moved;
      }
    }
    EXPECT_EQ(moved, rule_name != "shallow" || b + 1 == blocks.size()) << "block " << b;
  }
  EXPECT_EQ(parameter, before.size());

  const optotorch::testing::TemporaryFolder folder;
  if (!preset.deployable) {
    EXPECT_SAYS(export_torchscript(net, data, folder.path() + "/model.pt"), "deploy");
    return;
  }
  // Rules differ in the weights alone: one export of a network is enough (see exported_networks_test.cpp).
  if (rule_name == "bp" || rule_name == "shallow") {
    EXPECT_LE(export_torchscript(net, data.narrow(0, 0, 3), folder.path() + "/model.pt"), 1e-6);
  }
}

std::vector<std::tuple<std::string, std::string>> affordable() {
  std::vector<std::tuple<std::string, std::string>> pairs;
  for (const auto& preset : preset_names()) {
    for (const auto& rule : rule_names()) {
      if (!too_dear(preset, rule)) {
        pairs.emplace_back(preset, rule);
      }
    }
  }
  return pairs;
}

INSTANTIATE_TEST_SUITE_P(All, PresetsTest, ::testing::ValuesIn(affordable()), [](const auto& info) {
  auto name = std::get<0>(info.param) + "_" + std::get<1>(info.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(PresetsNamesTest, RulesAreFoundByName) {
  EXPECT_SAYS(make_rule("quadratur", find_preset("mnist-hybrid"), {}), "'quadrature'");
}

}  // namespace
}  // namespace optotorch::tools
