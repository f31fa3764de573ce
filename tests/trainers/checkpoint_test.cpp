#include <gtest/gtest.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim.h>

#include <filesystem>
#include <functional>
#include <memory>

namespace optotorch {
namespace {

using Optimizers = std::function<std::unique_ptr<torch::optim::Optimizer>(std::vector<torch::Tensor>)>;

struct OptimizerCase {
  std::string name;
  Optimizers make;
};

template <typename Optimizer, typename Options>
OptimizerCase optimizer_case(const std::string& name, Options options) {
  return {name, [options](std::vector<torch::Tensor> parameters) -> std::unique_ptr<torch::optim::Optimizer> {
            return std::make_unique<Optimizer>(std::move(parameters), options);
          }};
}

std::vector<OptimizerCase> optimizer_cases() {
  using namespace torch::optim;
  return {optimizer_case<SGD>("Sgd", SGDOptions(0.1).momentum(0.9).nesterov(true)),
          optimizer_case<Adam>("Adam", AdamOptions(0.05)),
          optimizer_case<AdamW>("AdamWAmsgrad", AdamWOptions(0.05).amsgrad(true)),
          optimizer_case<RMSprop>("RmspropCentered", RMSpropOptions(0.01).momentum(0.5).centered(true)),
          optimizer_case<Adagrad>("Adagrad", AdagradOptions(0.1)),
          optimizer_case<SGD>("PlainSgd", SGDOptions(0.1)),
          optimizer_case<LBFGS>("LbfgsOfFullHistory", LBFGSOptions(0.1).history_size(4).max_iter(3)),
          optimizer_case<LBFGS>("Lbfgs", LBFGSOptions(0.1).max_iter(2)),
          optimizer_case<LBFGS>("LbfgsWithLineSearch",
                                LBFGSOptions(1).max_iter(3).line_search_fn("strong_wolfe"))};
}

Hybrid network() {
  return Hybrid(MziMesh(6), Photodetector(), torch::nn::Linear(6, 3));
}

torch::Tensor mean_square(const torch::Tensor& output, const torch::Tensor& target) {
  return torch::nn::functional::mse_loss(output, target);
}

/// One step of any optimiser, LBFGS included.
void step(Hybrid& model, torch::optim::Optimizer& optimizer, Rule& rule, int64_t number) {
  const auto generator = torch::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(number));
  const auto x = torch::randn({5, 6}, generator, torch::kComplexFloat);
  const auto t = torch::rand({5, 3}, generator, torch::kFloat32);
  optimizer.step([&] {
    optimizer.zero_grad();
    return rule.step(*model, x, t, mean_square).loss;
  });
}

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("optotorch_checkpoint_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ / "checkpoint.safetensors"; }

  std::filesystem::path folder_;
};

class CheckpointOfOptimizerTest : public CheckpointTest,
                                  public ::testing::WithParamInterface<OptimizerCase> {};

TEST_P(CheckpointOfOptimizerTest, ContinuesToTheSameBits) {
  torch::manual_seed(1);
  auto whole = network();
  auto broken = Hybrid(std::dynamic_pointer_cast<HybridImpl>(whole->clone()));
  const auto whole_optimizer = GetParam().make(whole->parameters());
  BackPropagation rule;
  for (int64_t number = 0; number < 8; ++number) {
    step(whole, *whole_optimizer, rule, number);
  }
  {
    const auto optimizer = GetParam().make(broken->parameters());
    for (int64_t number = 0; number < 4; ++number) {
      step(broken, *optimizer, rule, number);
    }
    save_checkpoint(path(), *broken, *optimizer, rule, {{{"note", "half"}}, {}});
  }
  auto resumed = network();
  const auto optimizer = GetParam().make(resumed->parameters());
  const auto checkpoint = load_checkpoint(path(), *resumed, *optimizer, rule);
  EXPECT_EQ(checkpoint.progress.at("note"), "half");
  for (int64_t number = 4; number < 8; ++number) {
    step(resumed, *optimizer, rule, number);
  }
  for (const auto& item : whole->named_parameters()) {
    EXPECT_TRUE(item.value().equal(resumed->named_parameters()[item.key()])) << item.key();
    EXPECT_FALSE(item.value().equal(broken->named_parameters()[item.key()])) << item.key();
  }
}

INSTANTIATE_TEST_SUITE_P(All, CheckpointOfOptimizerTest, ::testing::ValuesIn(optimizer_cases()),
                         [](const auto& info) { return info.param.name; });

TEST_F(CheckpointTest, RestoresLibTorchsRandomState) {
  auto model = network();
  torch::optim::SGD optimizer(model->parameters(), 0.1);
  BackPropagation rule;
  save_checkpoint(path(), *model, optimizer, rule, {});
  const auto expected = torch::rand({4});
  load_checkpoint(path(), *model, optimizer, rule);
  EXPECT_TRUE(torch::rand({4}).equal(expected));
}

TEST_F(CheckpointTest, RefusesWhatDoesNotFitAndChangesNothing) {
  torch::manual_seed(1);
  auto model = network();
  torch::optim::Adam adam(model->parameters(), 0.1);
  BackPropagation rule;
  step(model, adam, rule, 0);
  save_checkpoint(path(), *model, adam, rule, {});

  Hybrid other(MziMesh(8), Photodetector(), torch::nn::Linear(8, 3));
  torch::optim::Adam other_adam(other->parameters(), 0.1);
  const auto before = weights_of(*other);
  EXPECT_THROW(load_checkpoint(path(), *other, other_adam, rule), c10::ValueError);
  EXPECT_THROW(load_checkpoint_weights(path(), *other), c10::ValueError);
  for (const auto& [name, tensor] : weights_of(*other)) {
    EXPECT_TRUE(tensor.equal(before.at(name))) << name;
  }

  auto same = network();
  const auto same_before = weights_of(*same);
  torch::optim::SGD sgd(same->parameters(), 0.1);
  EXPECT_THROW(load_checkpoint(path(), *same, sgd, rule), c10::ValueError);
  TwoPassForward another_rule;
  torch::optim::Adam same_adam(same->parameters(), 0.1);
  EXPECT_THROW(load_checkpoint(path(), *same, same_adam, another_rule), c10::ValueError);
  EXPECT_THROW(load_checkpoint_weights(path(), *same, /*best=*/true), c10::ValueError);
  for (const auto& [name, tensor] : weights_of(*same)) {
    EXPECT_TRUE(tensor.equal(same_before.at(name))) << name;
  }
}

}  // namespace
}  // namespace optotorch
