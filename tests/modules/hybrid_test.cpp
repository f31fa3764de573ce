#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/differentiable.h>
#include <support/blocks.h>
#include <support/differences.h>
#include <support/layer_cases.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/optim/adam.h>
#include <torch/serialize.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

std::vector<std::string> names(const torch::OrderedDict<std::string, torch::Tensor>& tensors) {
  return tensors.keys();
}

Hybrid small_net() {
  return Hybrid(FourierLens(2), MziMesh(4), ElectroOpticActivation(), MziMesh(4), Photodetector(),
                torch::nn::Flatten(), torch::nn::Linear(4, 5), torch::nn::ReLU(), torch::nn::Linear(5, 3));
}

torch::Tensor small_input(int64_t batch = 4) {
  return torch::rand({batch, 1, 4, 4});
}

TEST(HybridTest, GroupsSourceComponentAndResponses) {
  const auto net = small_net();
  EXPECT_EQ(net->blocks(),
            (std::vector<Block>{{0, 1, 3, true}, {3, 3, 6, true}, {6, 6, 8, true}, {8, 8, 9, true}}));
  EXPECT_EQ(net->trainable_blocks(), net->blocks());
  EXPECT_EQ(net->size(), 9U);
}

TEST(HybridTest, ALeadingResponseWaitsForItsComponent) {
  EXPECT_EQ(Hybrid(torch::nn::Flatten(), torch::nn::Linear(4, 3))->blocks(),
            (std::vector<Block>{{0, 1, 2, true}}));
  EXPECT_EQ(Hybrid(Modulator(4), Photodetector(), torch::nn::Linear(4, 3), torch::nn::ReLU())->blocks(),
            (std::vector<Block>{{0, 2, 4, true}}));
}

TEST(HybridTest, ASourceOpensABlock) {
  EXPECT_EQ(
      Hybrid(torch::nn::Linear(4, 4), Modulator(4), PhaseScreen(4), MziMesh(4), Photodetector())->blocks(),
      (std::vector<Block>{{0, 0, 1, true}, {1, 2, 3, true}, {3, 3, 5, true}}));
  const Hybrid trailing(torch::nn::Linear(4, 4), Modulator(4), Photodetector());
  EXPECT_EQ(trailing->blocks(), (std::vector<Block>{{0, 0, 1, true}, {1, 1, 3, false}}));
  EXPECT_EQ(trailing->trainable_blocks(), (std::vector<Block>{{0, 0, 1, true}}));
}

// A response that learns must be reached by the signal: no component may take its block over.
TEST(HybridTest, AResponseThatLearnsKeepsItsBlock) {
  EXPECT_EQ(Hybrid(Modulator(4), ModRelu(4), MziMesh(4), Photodetector())->blocks(),
            (std::vector<Block>{{0, 0, 2, true}, {2, 2, 4, true}}));
  EXPECT_EQ(Hybrid(ModRelu(4), MziMesh(4))->blocks(), (std::vector<Block>{{0, 0, 1, true}, {1, 1, 2, true}}));
}

TEST(HybridTest, ParametersAreNamedAsInSequential) {
  const Hybrid net(torch::nn::Linear(4, 3), torch::nn::ReLU(), torch::nn::BatchNorm1d(3),
                   torch::nn::Linear(3, 2));
  const torch::nn::Sequential sequential(torch::nn::Linear(4, 3), torch::nn::ReLU(),
                                         torch::nn::BatchNorm1d(3), torch::nn::Linear(3, 2));
  EXPECT_EQ(names(net->named_parameters()), names(sequential->named_parameters()));
  EXPECT_EQ(names(net->named_buffers()), names(sequential->named_buffers()));
  EXPECT_EQ(
      names(Hybrid(Modulator(4), MziMesh(4), Photodetector(), torch::nn::Linear(4, 2))->named_parameters()),
      (std::vector<std::string>{"1.theta", "1.phi", "1.gamma", "3.weight", "3.bias"}));
  Hybrid named;
  named->push_back("optics", MziMesh(MziMeshOptions(3).screen(false)).ptr());
  EXPECT_EQ(names(named->named_parameters()), (std::vector<std::string>{"optics.theta", "optics.phi"}));
  EXPECT_ANY_THROW(named->push_back("optics", MziMesh(3).ptr()));
}

TEST(HybridTest, TakesEveryKindOfLayer) {
  torch::manual_seed(1);
  for (const auto& row : testing::layer_cases()) {
    const auto layer = row.make();
    Hybrid net;
    net->push_back(layer);
    EXPECT_EQ(net->size(), 1U) << row.name;
    EXPECT_EQ(&net->layer(0), layer.get()) << row.name;
    EXPECT_EQ(net->parameters().size(), layer->parameters().size()) << row.name;
    const auto x = testing::random_batch(row, 3, torch::kFloat32);
    net->eval();
    layer->eval();
    EXPECT_TRUE(net->forward(x).equal(layer->forward(x))) << row.name;
  }
  Hybrid net(torch::nn::Functional([](const torch::Tensor& x) { return x * 2; }), torch::nn::Dropout(0.5));
  net->push_back(torch::nn::AnyModule(torch::nn::Tanh()));
  net->eval();
  const auto x = torch::randn({2, 3});
  EXPECT_TRUE(net->forward(x).equal((x * 2).tanh()));
  EXPECT_FALSE(net->children()[1]->is_training());
}

TEST(HybridTest, PropagateFromTheMiddle) {
  torch::manual_seed(2);
  auto net = small_net();
  const auto x = small_input();
  const auto passes = net->propagate(x);
  ASSERT_EQ(passes.size(), net->size());
  for (size_t i = 1; i < passes.size(); ++i) {
    EXPECT_TRUE(passes[i].input.equal(passes[i - 1].output)) << i;
  }
  EXPECT_TRUE(passes.back().output.equal(net->forward(x)));
  for (size_t first = 0; first < net->size(); ++first) {
    const auto rest = net->propagate(passes[first].input, first);
    ASSERT_EQ(rest.size(), net->size() - first);
    EXPECT_TRUE(rest.back().output.equal(passes.back().output)) << first;
  }
  EXPECT_THROW(net->propagate(x, net->size()), c10::ValueError);
  EXPECT_THROW(Hybrid()->propagate(x), c10::ValueError);
}

TEST(HybridTest, UpdateByPullbackIsTheDerivative) {
  torch::manual_seed(3);
  auto net = small_net();
  net->to(torch::kFloat64);
  auto x = small_input(2).to(torch::kFloat64);
  const auto w = torch::randn({2, 3}, torch::kFloat64);
  const auto passes = net->propagate(x);
  torch::Tensor signal = w;
  for (size_t b = net->blocks().size(); b-- > 0;) {
    signal = net->update(net->blocks()[b], passes, signal, &Layer::pullback, /*to_input=*/true);
  }
  const auto loss = [&] { return (net->propagate(x).back().output * w).sum().item<double>(); };
  expect_close(signal, testing::central_differences(loss, x), 1e-8, "input");
  for (auto& item : net->named_parameters()) {
    expect_close(item.value().grad(), testing::central_differences(loss, item.value().detach()), 1e-8,
                 item.key());
  }
}

TEST(HybridTest, UpdateStopsAtTheComponentUnlessAsked) {
  torch::manual_seed(4);
  auto net = small_net();
  const auto passes = net->propagate(small_input());
  const auto w = torch::randn_like(passes[2].output);
  EXPECT_EQ(net->update(net->blocks()[0], passes, w, &Layer::pullback, true).sizes(),
            passes[0].input.sizes());
  for (const auto& item : net->named_parameters()) {
    EXPECT_EQ(item.value().grad().defined(), item.key()[0] == '1') << item.key();
  }
}

TEST(HybridTest, CloneIsDeepAndKeepsEveryTrainFlag) {
  torch::manual_seed(5);
  Hybrid net;
  net->push_back("lens", FourierLens(2).ptr());
  net->push_back(MziMesh(4));
  net->push_back(Photodetector(PhotodetectorOptions().thermal_noise(0.1)));
  net->push_back(torch::nn::BatchNorm1d(4));
  net->push_back(torch::nn::Linear(4, 2));
  net->to(torch::kFloat64);
  net->children()[3]->eval();  // frozen statistics
  const auto x = small_input().to(torch::kFloat64);
  net->forward(x);  // the detector counts
  const auto copy = std::dynamic_pointer_cast<HybridImpl>(net->clone());
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->blocks(), net->blocks());
  EXPECT_EQ(names(copy->named_parameters()), names(net->named_parameters()));
  EXPECT_EQ(names(copy->named_buffers()), names(net->named_buffers()));
  EXPECT_TRUE(copy->is_training());
  EXPECT_FALSE(copy->children()[3]->is_training());
  EXPECT_TRUE(copy->children()[4]->is_training());
  EXPECT_TRUE(copy->propagate(x).back().output.equal(net->propagate(x).back().output));  // the same noise
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> before;
  for (const auto& parameter : net->parameters()) {
    before.push_back(parameter.clone());
  }
  for (auto& parameter : copy->parameters()) {
    parameter.add_(1);
  }
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(net->parameters()[i].equal(before[i]));
  }
}

TEST(HybridTest, LoadOfAnotherNetworkChangesNothing) {
  torch::manual_seed(7);
  auto net = small_net();
  std::vector<torch::Tensor> before;
  for (const auto& parameter : net->parameters()) {
    before.push_back(parameter.detach().clone());
  }
  // Every layer but the last fits.
  Hybrid other(FourierLens(2), MziMesh(4), ElectroOpticActivation(), MziMesh(4), Photodetector(),
               torch::nn::Flatten(), torch::nn::Linear(4, 5), torch::nn::ReLU(), torch::nn::Linear(5, 2));
  std::stringstream file, right;
  torch::save(other, file);
  EXPECT_THROW(torch::load(net, file), c10::ValueError);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(net->parameters()[i].equal(before[i]));
  }
  auto same = small_net();
  torch::save(same, right);
  torch::load(net, right);
  EXPECT_TRUE(net->forward(small_input(1)).isfinite().all().item<bool>());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(net->parameters()[i].equal(same->parameters()[i]));
  }
}

TEST(HybridTest, PrintsItsLayers) {
  std::ostringstream stream;
  stream << *small_net();
  for (const std::string part : {"FourierLens", "MziMesh", "Photodetector", "Linear"}) {
    EXPECT_NE(stream.str().find(part), std::string::npos) << part << " in " << stream.str();
  }
}

// The other way round: optical layers in LibTorch's own Sequential, trained by loss.backward().
class HybridSequentialTest : public ::testing::Test {
 protected:
  HybridSequentialTest() {
    torch::manual_seed(8);
    mesh = MziMesh(4);
    readout = torch::nn::Linear(4, 3);
    sequential = torch::nn::Sequential(differentiable(FourierLens(2)), differentiable(mesh),
                                       differentiable(Photodetector()), readout);
    x = small_input(16);
    target = torch::randint(3, {16}, torch::kInt64);
  }

  MziMesh mesh{nullptr};
  torch::nn::Linear readout{nullptr};
  torch::nn::Sequential sequential{nullptr};
  torch::Tensor x, target;
};

TEST_F(HybridSequentialTest, HasTheGradientsOfTheHybrid) {
  at::cross_entropy_loss(sequential->forward(x), target).backward();
  const auto theta = mesh->theta.grad().clone(), weight = readout->weight.grad().clone();
  sequential->zero_grad();
  EXPECT_FALSE(mesh->theta.grad().defined());

  Hybrid net(FourierLens(2), mesh, Photodetector(), readout);
  const auto passes = net->propagate(x);
  const auto y = passes.back().output.clone().requires_grad_();
  at::cross_entropy_loss(y, target).backward();
  torch::Tensor signal = y.grad();
  for (size_t b = net->blocks().size(); b-- > 0;) {
    signal = net->update(net->blocks()[b], passes, signal, &Layer::pullback, true);
  }
  expect_close(mesh->theta.grad(), theta, 1e-5, "theta");
  expect_close(readout->weight.grad(), weight, 1e-5, "weight");
}

TEST_F(HybridSequentialTest, TrainsByBackward) {
  EXPECT_EQ(
      names(sequential->named_parameters()),
      (std::vector<std::string>{"1.layer.theta", "1.layer.phi", "1.layer.gamma", "3.weight", "3.bias"}));
  torch::optim::Adam optimizer(sequential->parameters(), torch::optim::AdamOptions(0.03));
  const auto before = mesh->theta.clone();
  double first = 0, last = 0;
  for (int step = 0; step < 150; ++step) {
    optimizer.zero_grad();
    const auto loss = at::cross_entropy_loss(sequential->forward(x), target);
    loss.backward();
    optimizer.step();
    last = loss.item<double>();
    first = step == 0 ? last : first;
  }
  EXPECT_LT(last, 0.8 * first);
  EXPECT_GT((mesh->theta - before).abs().max().item<double>(), 0.1);
}

TEST_F(HybridSequentialTest, ClonesAndInfers) {
  const auto copy = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(sequential->clone());
  ASSERT_NE(copy, nullptr);
  sequential->eval();
  copy->eval();
  const torch::NoGradGuard no_grad;
  const auto y = sequential->forward(x);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_TRUE(copy->forward(x).equal(y));
  mesh->theta.add_(1);
  EXPECT_TRUE(copy->forward(x).equal(y));
  EXPECT_FALSE(sequential->forward(x).equal(y));
}

TEST(HybridTest, RefusesModulesThatWorkInPlace) {
  Hybrid net(torch::nn::Linear(3, 3), torch::nn::ReLU(torch::nn::ReLUOptions(true)), torch::nn::Linear(3, 2));
  const auto x = torch::rand({4, 3});
  EXPECT_THROW(net->propagate(x), c10::ValueError);
  EXPECT_THROW(net->propagate(x, 0, Keep::nothing), c10::ValueError);
}

}  // namespace
}  // namespace optotorch
