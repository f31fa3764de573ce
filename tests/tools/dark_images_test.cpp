// Black images among the samples: no network divides by a dark sample's size.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/optim/sgd.h>

#include <algorithm>

#include "runs/rules.h"
#include "runs/run_data.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

class DarkImagesTest : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(DarkImagesTest, AreLearntFromLikeOthers) {
  const auto& [network, rule_name] = GetParam();
  RunConfig config{.network = network, .rule = rule_name, .epochs = 10, .seed = 1, .classes = 10};
  config.input = {1, 28, 28};
  config.laboratory.calibration = config.laboratory.warm_up = network == "mpnn-in-situ" ? 0 : -1;
  const auto run = resolve(config);
  auto net = make_network(run);
  const auto rule = make_rule(run, *net, /*steps_per_epoch=*/10);
  const auto loss = loss_of(run.training());
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(1e-3));
  const auto target = torch::tensor({3, 1, 4, 1}, torch::kInt64);
  auto images = example_input(run, 4);
  images[1].zero_();
  for (const auto& data : {images, torch::zeros_like(images)}) {
    net->train();
    for (int step = 0; step < 2; ++step) {
      optimizer.zero_grad();
      EXPECT_TRUE(std::isfinite(rule->step(*net, data, target, loss).loss.item<double>())) << step;
      optimizer.step();
    }
    for (const auto& parameter : net->named_parameters()) {
      EXPECT_TRUE(parameter.value().isfinite().all().item<bool>()) << parameter.key();
    }
    net->eval();
    EXPECT_TRUE(net->forward(data).isfinite().all().item<bool>());
  }
}

std::vector<std::pair<std::string, std::string>> cases() {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& name : network_names()) {
    const auto training = find_network(name).training;
    if (!training.laboratory && !training.learns_text() && name != "mnist-mesh784") {
      pairs.emplace_back(name, "bp");
    }
  }
  for (const auto* rule : {"dfa", "shallow"}) {
    pairs.emplace_back("mpnn", rule);
  }
  for (const auto* rule : {"in-silico", "pat", "dat-output", "dat-unitary", "dat-separable"}) {
    pairs.emplace_back("mpnn-in-situ", rule);
  }
  return pairs;
}

INSTANTIATE_TEST_SUITE_P(All, DarkImagesTest, ::testing::ValuesIn(cases()), [](const auto& info) {
  auto name = info.param.first + "_" + info.param.second;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace optotorch::tools
