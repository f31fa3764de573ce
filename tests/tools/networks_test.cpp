// Every network that the program knows with every rule that it knows: a few steps as `optotorch train` makes
// them, then an export.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/weights.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/optim/adam.h>

#include <algorithm>
#include <set>

#include "runs/rules.h"
#include "runs/run_data.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

const std::set<std::string> electronic = {"mnist-weight-bank",   "mnist-1024",    "mnist-mlp",
                                          "slices-electronic",   "optical-cnn",   "optical-cnn-average",
                                          "optical-cnn-strided", "electronic-cnn"};

const std::set<std::string> in_laboratory_names = {"mpnn-in-situ", "mpnn-published"};

/// Filters whose photodiodes are part of them, or what stands in their place.
bool slices_spectra(const std::string& network) {
  return network.starts_with("oss-");
}

bool is_electronic(const std::string& network) {
  return electronic.contains(network) || slices_spectra(network);
}

bool is_diffractive(const std::string& network) {
  return network.starts_with("d2nn") || network.starts_with("dpnn");
}

Run run_of(const std::string& network, const std::string& rule) {
  RunConfig config{.network = network, .rule = rule, .epochs = 10, .seed = 1, .classes = 10};
  config.input = {1, 28, 28};
  const bool measures = find_rule(rule).for_laboratory || in_laboratory_names.contains(network);
  config.laboratory.calibration = config.laboratory.warm_up = measures ? 0 : -1;
  config.laboratory.simulation = rule == "oracle" && is_diffractive(network) ? "fine" : "model";
  return resolve(config);
}

/// Why a network cannot be trained by a rule; empty if it can.
std::string obstacle(const std::string& network, const std::string& rule) {
  if (rule == "oracle") {
    return is_diffractive(network) ? "" : "--simulation";
  }
  const bool delays_light = rule == "quadrature" || rule == "quadrature-twin";
  const bool reads_fields = rule == "homodyne-random" || rule == "tpfp-field" || rule == "tpfp-sloped";
  const bool has_stages = network.starts_with("mnist-hybrid") || network == "mnist-in-situ" ||
                          network.starts_with("mpnn") || network == "mnist-mesh784" ||
                          is_diffractive(network) || network == "mnist-1024" ||
                          network == "mnist-weight-bank" || network.starts_with("optical-cnn") ||
                          (slices_spectra(network) && !network.starts_with("oss-digital"));
  if (find_rule(rule).for_laboratory) {
    return has_stages ? "" : "network with stages";
  }
  const bool measures_losses = rule.starts_with("zeroth-order");
  if ((network == "mpnn-in-situ" || network == "mpnn-published") && !measures_losses) {
    return "component by component";
  }
  const auto only = find_network(network).training.only;
  if (!only.empty() && std::find(only.begin(), only.end(), rule) == only.end()) {
    return "'bp'";
  }
  if (reads_fields && (is_electronic(network) || network == "mnist-in-situ")) {
    return "needs fields";
  }
  const bool discrete = network == "boolean-mnist" || network == "ternary-mnist";
  if (rule == "annealing" && !discrete) {
    return "discrete read-out";
  }
  return delays_light && is_electronic(network) ? "needs light" : "";
}

/// Seconds for a network of this size: one such rule is enough.
bool too_dear(const std::string& network, const std::string& rule) {
  // Weight mirroring estimates a dense matrix, of 1,568 or 7,840 rows here.
  const std::set<std::string> wide = {"slices-columns-rows", "slices-direct", "slices-patches"};
  // Planes of 40,000 pixels.
  const std::set<std::string> large = {"d2nn", "d2nn-pairs", "d2nn-electronic", "dpnn"};
  if (large.contains(network)) {
    const std::set<std::string> shown = {"bp", "dfa", "tpfp"};
    return network == "d2nn" ? !shown.contains(rule) : rule != "bp";
  }
  // Filters that are fixed: one such network shows what rules make of them.
  if (slices_spectra(network) && network != "oss-16") {
    const std::set<std::string> shown = {"bp", "dfa", "tpfp", "pat", "in-silico", "dat-output"};
    return network == "oss-7" ? !shown.contains(rule) : rule != "bp";
  }
  if (network.starts_with("d2nn-64-")) {
    return rule != "bp" && rule != "tpfp";
  }
  // Sixteen images lack classes, and a search wants them all: annealing_test.cpp.
  if (rule == "annealing" && (network == "boolean-mnist" || network == "ternary-mnist")) {
    return true;
  }
  return (network == "mnist-mesh784" && rule != "tpfp") || (wide.contains(network) && rule == "tpfp-mirror");
}

Batch samples(const Run& run) {
  if (run.training().learns_text()) {
    const auto windows = example_input(run, 3);
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

class NetworksTest : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(NetworksTest, TrainsAndExports) {
  const auto& [network, rule_name] = GetParam();
  if (const auto why = obstacle(network, rule_name); !why.empty()) {
    const auto refused = [&network = network, &rule_name = rule_name] {
      const auto run = run_of(network, rule_name);
      auto net = make_network(run);
      make_rule(run, *net, 10);
    };
    EXPECT_SAYS(refused(), why);
    return;
  }
  const auto run = run_of(network, rule_name);
  auto net = make_network(run);
  const auto rule = make_rule(run, *net, /*steps_per_epoch=*/10);
  const auto [data, target] = samples(run);
  const Loss loss = loss_of(run.training());
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(run.training().learning_rate));
  const auto before = copies(net->parameters());
  // Most read-outs begin at zero: in the first step nothing comes back through them, and `adjoint` looks at
  // them again after `refresh` steps only.
  constexpr int64_t most_refresh = 20;
  const int64_t steps = network == "mnist-hybrid" || network == "mnist-in-situ" ? 10
                        : network == "mnist-mesh784"                            ? most_refresh
                                                                                : 1;
  for (int64_t step = 0; step <= steps; ++step) {
    optimizer.zero_grad();
    EXPECT_TRUE(std::isfinite(rule->step(*net, data, target, loss).loss.item<double>())) << step;
    optimizer.step();
  }
  for (const auto& parameter : net->named_parameters()) {
    EXPECT_TRUE(parameter.value().isfinite().all().item<bool>()) << parameter.key();
  }
  const auto blocks = net->trainable_blocks();
  EXPECT_GE(blocks.size(),
            network == "ternary-mnist" || network == "boolean-mnist" ||
                    ((network.starts_with("mpnn") || is_diffractive(network)) && run.in_laboratory)
                ? 1U
                : 2U);
  size_t parameter = 0;
  for (size_t b = 0; b < blocks.size(); ++b) {
    bool moved = false;
    for (size_t layer = blocks[b].begin; layer < blocks[b].end; ++layer) {
      for (const auto& after : net->layer(layer).parameters()) {
        moved = !after.equal(before.at(parameter++)) || moved;
      }
    }
    if (rule_name != "zeroth-order-coordinates") {  // ten parameters of them all
      EXPECT_EQ(moved, net->learns(blocks[b]) && (rule_name != "shallow" || b + 1 == blocks.size()))
          << "block " << b;
    }
  }
  EXPECT_EQ(parameter, before.size());

  const optotorch::testing::TemporaryFolder folder;
  if (run.in_laboratory) {
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
  for (const auto& network : network_names()) {
    for (const auto& rule : rule_names()) {
      if (!too_dear(network, rule)) {
        pairs.emplace_back(network, rule);
      }
    }
  }
  return pairs;
}

INSTANTIATE_TEST_SUITE_P(All, NetworksTest, ::testing::ValuesIn(affordable()), [](const auto& info) {
  auto name = std::get<0>(info.param) + "_" + std::get<1>(info.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

class NetworkValuesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(NetworkValuesTest, WhatIsDescribedIsBuiltAgain) {
  const auto run = run_of(GetParam(), find_network(GetParam()).training.laboratory ? "bp" : "shallow");
  auto net = run.network.make({{"classes", 10},
                               {"channels", 1},
                               {"height", 28},
                               {"width", 28},
                               {"pixels", 784},
                               {"context", run.training().context}});
  const auto text = describe(*net);
  auto again = build(text);
  EXPECT_EQ(describe(*again), text);
  load_weights(*again, weights_of(*net));
  const auto x = example_input(run, 2);
  EXPECT_TRUE(again->forward(x).equal(net->forward(x)));
}

INSTANTIATE_TEST_SUITE_P(All, NetworkValuesTest, ::testing::ValuesIn(network_names()), [](const auto& info) {
  auto name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(NetworksNamesTest, RulesAndNetworksAreFoundByName) {
  EXPECT_SAYS(find_rule("quadratur"), "'quadrature'");
  EXPECT_SAYS(find_network("mnist-hybird"), "'mnist-hybrid'");
}

}  // namespace
}  // namespace optotorch::tools
