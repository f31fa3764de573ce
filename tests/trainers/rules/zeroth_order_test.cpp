#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/freeze.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/zeroth_order.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/losses.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <cmath>

namespace optotorch {
namespace {

using testing::expect_close;

class ZerothOrderTest : public ::testing::Test {
 protected:
  ZerothOrderTest() {
    torch::manual_seed(23);
    net = Hybrid(Modulator(4), MziMesh(4), Photodetector(), torch::nn::Linear(4, 5), torch::nn::Tanh(),
                 torch::nn::Linear(5, 3));
    net->to(torch::kFloat64);
    x = torch::randn({8, 4}, torch::kFloat64);
    target = torch::randn({8, 3}, torch::kFloat64);
  }

  std::map<std::string, at::Tensor> gradients_by(Rule& rule) {
    for (auto& parameter : net->parameters()) {
      parameter.mutable_grad() = torch::Tensor();
    }
    rule.step(*net, x, target, testing::squared_error);
    std::map<std::string, at::Tensor> gradients;
    for (const auto& item : net->named_parameters()) {
      gradients[item.key()] = item.value().grad();
    }
    return gradients;
  }

  int64_t hidden_parameters() const {
    int64_t count = 0;
    for (const auto& item : net->named_parameters()) {
      count += item.key().starts_with("5.") ? 0 : item.value().numel();
    }
    return count;
  }

  Hybrid net;
  torch::Tensor x, target;
};

TEST_F(ZerothOrderTest, AllCoordinatesAreTheGradient) {
  BackPropagation exact;
  const auto expected = gradients_by(exact);
  for (const bool exact_head : {true, false}) {
    ZerothOrder rule(
        ZerothOrderOptions().method(Perturbation::coordinates).step(1e-4).exact_head(exact_head));
    for (const auto& [name, gradient] : gradients_by(rule)) {
      expect_close(gradient, expected.at(name), exact_head && name.starts_with("5.") ? 1e-15 : 1e-6, name);
    }
    const int64_t perturbed = hidden_parameters() + (exact_head ? 0 : 18);
    EXPECT_EQ(rule.measures().at("measurements"), 1 + 2 * perturbed);
    EXPECT_NEAR(alignment(rule, *net, x, target, testing::squared_error)[0], 1, 1e-6);
  }
}

// A single direction is the slope along it; many of them point along the gradient.
TEST_F(ZerothOrderTest, DirectionsAverageToTheGradient) {
  BackPropagation exact;
  const auto expected = gradients_by(exact);
  const auto flat = [](const std::map<std::string, at::Tensor>& gradients) {
    std::vector<at::Tensor> parts;
    for (const auto& [name, gradient] : gradients) {
      if (!name.starts_with("5.")) {
        parts.push_back(gradient.flatten());
      }
    }
    return at::cat(parts);
  };
  const auto g = flat(expected);
  ZerothOrder one(ZerothOrderOptions().step(1e-4).seed(2));
  const auto along = flat(gradients_by(one));
  const auto signs = along.sign();
  EXPECT_EQ(along.abs().max().item<double>(), along.abs().min().item<double>());
  EXPECT_NEAR(along[0].item<double>() * signs[0].item<double>(), (g * signs).sum().item<double>(), 1e-6);
  EXPECT_EQ(one.measures().at("measurements"), 3);
  EXPECT_FALSE(flat(gradients_by(one)).sign().equal(signs));  // another direction in the next step

  ZerothOrder many(ZerothOrderOptions().step(1e-4).directions(600));
  const auto mean = flat(gradients_by(many));
  const double cosine = ((mean * g).sum() / (mean.norm() * g.norm())).item<double>();
  EXPECT_GT(cosine, 0.95);
  EXPECT_NEAR(mean.norm().item<double>(), g.norm().item<double>(), 0.15 * g.norm().item<double>());
  EXPECT_EQ(many.measures().at("measurements"), 1201);
}

TEST_F(ZerothOrderTest, SparseStepsTouchAsManyParametersAsTold) {
  for (const auto method : {Perturbation::coordinates, Perturbation::simultaneous}) {
    ZerothOrder rule(ZerothOrderOptions().method(method).coordinates(3).seed(4));
    at::Tensor seen = at::zeros({hidden_parameters()}, at::kBool);
    for (int step = 0; step < 60; ++step) {
      std::vector<at::Tensor> touched;
      for (const auto& [name, gradient] : gradients_by(rule)) {
        if (!name.starts_with("5.")) {
          touched.push_back(gradient.flatten() != 0);
        }
      }
      EXPECT_LE(at::cat(touched).sum().item<int64_t>(), 3);
      seen = seen | at::cat(touched);
    }
    // Not the four output phases before detectors of intensity, which nothing sees.
    EXPECT_GE(seen.sum().item<int64_t>(), hidden_parameters() - 6);
  }
}

TEST_F(ZerothOrderTest, LeavesNoTrace) {
  Hybrid other(torch::nn::Linear(4, 6), torch::nn::BatchNorm1d(6), torch::nn::Dropout(0.5),
               torch::nn::Linear(6, 3));
  Hybrid twin(std::dynamic_pointer_cast<HybridImpl>(other->clone()));
  const auto input = x.to(at::kFloat), wanted = target.to(at::kFloat);
  torch::manual_seed(1);
  twin->propagate(input);
  const auto random_after_one_pass = torch::rand({1});
  torch::manual_seed(1);
  ZerothOrder rule(ZerothOrderOptions().directions(5));
  const auto before = other->parameters()[0].detach().clone();
  rule.step(*other, input, wanted, testing::squared_error);
  EXPECT_TRUE(torch::rand({1}).equal(random_after_one_pass));
  EXPECT_TRUE(other->parameters()[0].equal(before));
  for (const auto& buffer : other->named_buffers()) {
    EXPECT_TRUE(buffer.value().equal(twin->named_buffers()[buffer.key()]) ||
                buffer.key().ends_with("num_batches_tracked"))
        << buffer.key();
  }
  // All passes drop the same values: else the estimate would be full of their difference over the step.
  BackPropagation exact;
  torch::manual_seed(1);
  exact.step(*twin, input, wanted, testing::squared_error);
  const double largest = twin->parameters()[0].grad().abs().sum().item<double>();
  EXPECT_LT(other->parameters()[0].grad().abs().max().item<double>(), largest);
}

TEST_F(ZerothOrderTest, FrozenParametersStayAndARunResumes) {
  freeze(net->layer(1));
  ZerothOrder rule(ZerothOrderOptions().seed(3));
  const auto first = gradients_by(rule);
  EXPECT_FALSE(first.at("1.theta").defined());
  ASSERT_TRUE(first.at("3.weight").defined());
  ZerothOrder again(ZerothOrderOptions().seed(3));
  again.load_state(rule.state());
  const auto second = gradients_by(rule), resumed = gradients_by(again);
  EXPECT_TRUE(second.at("3.weight").equal(resumed.at("3.weight")));
  EXPECT_FALSE(second.at("3.weight").equal(first.at("3.weight")));
  // All hidden layers frozen: the head still learns.
  freeze(net->layer(3));
  EXPECT_TRUE(gradients_by(rule).at("5.weight").defined());
}

// In a laboratory the system is measured, and nothing of its model is used.
TEST_F(ZerothOrderTest, MeasuresAPhysicalSystem) {
  const auto mesh = MziMeshOptions(4);
  const auto system = std::make_shared<SimulatedSystem>(
      Chip(mesh.layout(), Imperfections().splitter_error(.2).phase_error(.3), 1));
  PhysicalNetwork network(system, PhysicalNetworkOptions(mesh));
  Hybrid physical(Modulator(4), network, torch::nn::Linear(4, 3));
  const int64_t before = system->measurements();
  ZerothOrder rule(ZerothOrderOptions().method(Perturbation::coordinates).step(1e-2).coordinates(2));
  rule.step(*physical, x.to(at::kFloat), target.to(at::kFloat), testing::squared_error);
  EXPECT_EQ(system->measurements() - before, 5 * 8);
  EXPECT_EQ((network->parameters()[0].grad() != 0).sum().item<int64_t>() +
                (network->parameters()[1].grad() != 0).sum().item<int64_t>() +
                (network->parameters()[2].grad() != 0).sum().item<int64_t>(),
            2);
}

TEST_F(ZerothOrderTest, WrongOptionsAreRejected) {
  EXPECT_SAYS(ZerothOrder(ZerothOrderOptions().step(0)), "step");
  EXPECT_SAYS(ZerothOrder(ZerothOrderOptions().step(std::nan(""))), "step");
  EXPECT_SAYS(ZerothOrder(ZerothOrderOptions().directions(0)), "directions");
  EXPECT_SAYS(ZerothOrder(ZerothOrderOptions().coordinates(-1)), "coordinates");
  ZerothOrder rule;
  EXPECT_SAYS(rule.load_state({}), "steps");
  // Losses that are not finite: the parameters come back all the same.
  const auto start = net->parameters()[0].detach().clone();
  const Loss breaks = [&](const torch::Tensor& y, const torch::Tensor& t) {
    const double factor = net->parameters()[0].equal(start) ? 1 : INFINITY;
    return (y - t).square().mean() * factor;
  };
  EXPECT_SAYS(rule.step(*net, x, target, breaks), "smaller steps");
  EXPECT_TRUE(net->parameters()[0].equal(start));
}

}  // namespace
}  // namespace optotorch
