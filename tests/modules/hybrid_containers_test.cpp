// Containers as layers of a Hybrid.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/differentiable.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <support/blocks.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/parameters.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/serialize.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::expect_equal;
using testing::parameters_of;

class HybridContainersTest : public ::testing::Test {
 protected:
  HybridContainersTest() {
    torch::manual_seed(4);
    x = torch::rand({3, 1, 4, 4});
    w = torch::randn({3, 2});
  }

  /// By back-propagation, from w at the output, of the parameters in their order.
  std::vector<torch::Tensor> gradients(Hybrid& net) const {
    net->zero_grad();
    const auto passes = net->propagate(x);
    torch::Tensor signal = w;
    for (size_t b = net->blocks().size(); b-- > 0;) {
      signal = net->update(net->blocks()[b], passes, signal, &Layer::pullback, true);
    }
    std::vector<torch::Tensor> all;
    for (const auto& parameter : net->parameters()) {
      all.push_back(parameter.grad());
    }
    return all;
  }

  /// Forward, gradients and blocks of the same layers, written flat.
  void expect_flat(Hybrid& nested, const std::vector<std::string>& names) {
    EXPECT_EQ(nested->blocks(), flat->blocks());
    EXPECT_EQ(nested->size(), flat->size());
    EXPECT_EQ(nested->named_parameters().keys(), names);
    EXPECT_TRUE(nested->forward(x).equal(flat->forward(x)));
    const auto expected = gradients(flat), got = gradients(nested);
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(got[i].defined()) << names[i];
      EXPECT_TRUE(got[i].equal(expected[i])) << names[i];
    }
  }

  FourierLens lens{2};
  MziMesh first{4}, second{4};
  ElectroOpticActivation activation;
  Photodetector detector;
  torch::nn::Linear hidden{4, 5}, head{5, 2};
  torch::nn::ReLU relu;
  Hybrid flat{lens, first, activation, second, detector, hidden, relu, head};
  torch::Tensor x, w;
};

TEST_F(HybridContainersTest, AHybridInAHybridIsTakenOver) {
  Hybrid optics(first, activation, second);
  Hybrid nested(lens, optics, detector, Hybrid(hidden, Hybrid(relu, head)));
  expect_flat(nested, {"1.0.theta", "1.0.phi", "1.0.gamma", "1.2.theta", "1.2.phi", "1.2.gamma", "3.0.weight",
                       "3.0.bias", "3.1.1.weight", "3.1.1.bias"});
}

TEST_F(HybridContainersTest, SoIsOneInAnAnyModule) {
  Hybrid nested;
  nested->push_back(lens);
  nested->push_back("optics", torch::nn::AnyModule(Hybrid(first, activation)));
  nested->push_back(torch::nn::AnyModule(second));  // a layer stays one
  nested->push_back("read-out", Hybrid(detector, hidden, relu, head));
  expect_flat(nested, {"optics.0.theta", "optics.0.phi", "optics.0.gamma", "2.theta", "2.phi", "2.gamma",
                       "read-out.1.weight", "read-out.1.bias", "read-out.3.weight", "read-out.3.bias"});
}

TEST_F(HybridContainersTest, SoIsASequentialOfOpticalLayers) {
  Hybrid nested(lens, torch::nn::Sequential(Hybrid(first, activation), second, detector, hidden), relu, head);
  expect_flat(nested, {"1.0.0.theta", "1.0.0.phi", "1.0.0.gamma", "1.1.theta", "1.1.phi", "1.1.gamma",
                       "1.3.weight", "1.3.bias", "3.weight", "3.bias"});
}

// LibTorch's modules may work in place on each other there.
TEST_F(HybridContainersTest, ASequentialOfModulesIsOneLayer) {
  const torch::nn::ReLU in_place(torch::nn::ReLUOptions(true));
  Hybrid nested(lens, first, activation, second, detector, torch::nn::Sequential(hidden, in_place, head));
  EXPECT_EQ(nested->size(), 6U);
  EXPECT_EQ(nested->blocks().size(), 3U);
  EXPECT_EQ(nested->named_parameters().keys()[6], "5.0.weight");
  EXPECT_TRUE(nested->forward(x).equal(flat->forward(x)));
  const auto expected = gradients(flat), got = gradients(nested);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(got[i].equal(expected[i])) << i;
  }
}

TEST_F(HybridContainersTest, ClonesAndFilesKeepTheNesting) {
  Hybrid nested(
      lens, Hybrid(first, activation), torch::nn::Sequential(second, detector),
      torch::nn::Sequential({{"a", torch::nn::AnyModule(hidden)}, {"b", torch::nn::AnyModule(head)}}));
  nested->children()[3]->eval();
  auto copy = std::dynamic_pointer_cast<HybridImpl>(nested->clone());
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->blocks(), nested->blocks());
  expect_equal(parameters_of(*copy), parameters_of(*nested));
  EXPECT_TRUE(copy->forward(x).equal(nested->forward(x)));
  EXPECT_TRUE(copy->is_training());
  EXPECT_FALSE(copy->children()[3]->is_training());
  std::stringstream file;
  torch::save(nested, file);
  first->theta.detach().add_(1);
  hidden->weight.detach().add_(1);
  const auto y = nested->forward(x);
  EXPECT_FALSE(copy->forward(x).equal(y)) << "a deep copy";
  torch::load(nested, file);
  EXPECT_TRUE(copy->forward(x).equal(nested->forward(x)));
}

TEST_F(HybridContainersTest, ItselfIsNoLayer) {
  EXPECT_SAYS(flat->push_back(flat), "expected another Hybrid, got itself");
  EXPECT_SAYS(flat->push_back(std::shared_ptr<HybridImpl>()), "nullptr");
  EXPECT_EQ(flat->size(), 8U);
}

/// A Hybrid that a module of the user's calls: its forward builds no graph.
struct HolderImpl : torch::nn::Module {
  HolderImpl(Hybrid inside, bool detached)
      : inner(register_module("inner", std::move(inside))), detaches(detached) {}
  torch::Tensor forward(const torch::Tensor& t) { return inner->forward(detaches ? t.detach() : t); }
  Hybrid inner;
  bool detaches;
};
TORCH_MODULE(Holder);

TEST_F(HybridContainersTest, OneInsideAModuleSaysThatItDoesNotLearn) {
  for (const bool detached : {true, false}) {
    Hybrid net(hidden, Holder(Hybrid(head), detached));
    const auto values = torch::rand({3, 4});
    EXPECT_SAYS(net->propagate(values), "Hybrid: ");
    EXPECT_SAYS(net->propagate(values), "differentiable(layer)");
    EXPECT_EQ(net->forward(values).size(1), 2);
  }
}

TEST_F(HybridContainersTest, InASequentialOfTheUsersItDoesNotCutTheGraph) {
  torch::nn::Sequential net(hidden, Hybrid(head));
  EXPECT_SAYS(net->forward(torch::rand({3, 4})), "requires grad");
}

}  // namespace
}  // namespace optotorch
