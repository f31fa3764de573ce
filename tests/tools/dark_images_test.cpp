// Black images among the samples: no network divides by a dark sample's size.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/optim/sgd.h>

#include <algorithm>

#include "runs/presets.h"
#include "runs/rules.h"
#include "runs/run_data.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

class DarkImagesTest : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(DarkImagesTest, AreLearntFromLikeOthers) {
  const auto& [preset_name, rule_name] = GetParam();
  const auto& preset = find_preset(preset_name);
  RunConfig config{.model = preset_name, .rule = rule_name, .seed = 1, .classes = 10};
  RuleContext context{.seed = 1, .epochs = 10, .steps_per_epoch = 10};
  if (preset.make == nullptr) {
    config.laboratory.calibration = config.laboratory.warm_up = 0;
    config = resolve(config);
    context.laboratory = config.laboratory;
  }
  auto net = make_network(config);
  const auto rule = make_rule(rule_name, preset, context);
  const auto loss = loss_of(config);
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(1e-3));
  const auto target = torch::tensor({3, 1, 4, 1}, torch::kInt64);
  auto images = example_input(config, 4);
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
  for (const auto& name : preset_names()) {
    const auto& preset = find_preset(name);
    if (preset.make != nullptr && !preset.text && name != "mnist-mesh784") {
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
