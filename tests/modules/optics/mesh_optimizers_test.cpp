#include <gtest/gtest.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

namespace optotorch {
namespace {

// Every optimiser of LibTorch steps a mesh.
class MeshOptimizersTest : public ::testing::Test {
 protected:
  MeshOptimizersTest() {
    torch::manual_seed(9);
    mesh = MziMesh(5);
    mesh->to(torch::kFloat64);
    x = torch::randn({8, 5}, torch::kComplexDouble);
    target = MziMesh(5)->matrix().to(torch::kComplexDouble).matmul(x.t()).t();
  }

  torch::Tensor loss_and_gradient() {
    const auto pass = mesh->propagate(x);
    const auto difference = pass.output - target;
    mesh->pullback(pass, 2 * difference / 8, /*to_input=*/false);
    return difference.abs().square().sum() / 8;
  }

  void lowers(torch::optim::Optimizer& optimizer, int steps = 60) {
    const double first = loss_and_gradient().item<double>();
    double last = first;
    for (int step = 0; step < steps; ++step) {
      last = optimizer
                 .step([&] {
                   optimizer.zero_grad();
                   return loss_and_gradient();
                 })
                 .item<double>();
    }
    EXPECT_LT(last, 0.3 * first);
    for (const auto& parameter : mesh->parameters()) {
      EXPECT_TRUE(parameter.is_leaf());
    }
  }

  MziMesh mesh{nullptr};
  torch::Tensor x, target;
};

TEST_F(MeshOptimizersTest, Sgd) {
  torch::optim::SGD optimizer(mesh->parameters(), torch::optim::SGDOptions(0.02).momentum(0.9));
  lowers(optimizer);
}

TEST_F(MeshOptimizersTest, Adam) {
  torch::optim::Adam optimizer(mesh->parameters(), torch::optim::AdamOptions(0.05));
  lowers(optimizer);
}

TEST_F(MeshOptimizersTest, AdamW) {
  torch::optim::AdamW optimizer(mesh->parameters(), torch::optim::AdamWOptions(0.05).weight_decay(1e-3));
  lowers(optimizer);
}

TEST_F(MeshOptimizersTest, RMSprop) {
  torch::optim::RMSprop optimizer(mesh->parameters(), torch::optim::RMSpropOptions(0.02));
  lowers(optimizer);
}

TEST_F(MeshOptimizersTest, Adagrad) {
  torch::optim::Adagrad optimizer(mesh->parameters(), torch::optim::AdagradOptions(0.2));
  lowers(optimizer);
}

TEST_F(MeshOptimizersTest, Lbfgs) {
  torch::optim::LBFGS optimizer(mesh->parameters(), torch::optim::LBFGSOptions(0.5));
  lowers(optimizer, 10);
}

}  // namespace
}  // namespace optotorch
