// What hybrid_test.cpp and layer_contract_test.cpp leave open: optical layers inside torch::nn modules that
// are themselves layers of a Hybrid.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/differentiable.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/differences.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

namespace optotorch {
namespace {

using testing::expect_close;

/// A weight bank among torch::nn modules, with a path around it.
struct AroundImpl : torch::nn::Cloneable<AroundImpl> {
  AroundImpl() : Cloneable("Around") { reset(); }
  void reset() override {
    bank = register_module("bank", differentiable(WeightBank(3, 3)));
    linear = register_module("linear", torch::nn::Linear(3, 2));
  }
  torch::Tensor forward(const torch::Tensor& x) { return linear(x + bank(x).tanh()); }
  Differentiable bank{nullptr};
  torch::nn::Linear linear{nullptr};
};
TORCH_MODULE(Around);

/// Optical layers further down.
struct NestedImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& x) { return sequence->forward(x); }
  torch::nn::Sequential sequence{register_module(
      "sequence", torch::nn::Sequential(torch::nn::Tanh(), differentiable(WeightBank(4, 3))))};
};
TORCH_MODULE(Nested);

class DifferentiableTest : public ::testing::Test {
 protected:
  DifferentiableTest() {
    torch::manual_seed(2);
    around = Around();
    around->to(torch::kFloat64);
    block = std::make_shared<ElectronicBlock>(torch::nn::AnyModule(around));
    x = torch::randn({5, 3}, torch::kFloat64);
    w = torch::randn({5, 2}, torch::kFloat64);
  }

  std::map<std::string, torch::Tensor> take_gradients() const {
    std::map<std::string, torch::Tensor> gradients;
    for (auto& item : around->named_parameters()) {
      gradients[item.key()] = item.value().grad();
      item.value().mutable_grad() = torch::Tensor();
    }
    return gradients;
  }

  Around around{nullptr};
  std::shared_ptr<ElectronicBlock> block;
  torch::Tensor x, w;
};

// Nothing that learns by autograd stands before the bank: LibTorch alone would leave it out.
TEST_F(DifferentiableTest, LearnsInsideABlockWhoseInputIsNotAsked) {
  const auto loss = [&] { return (block->propagate(x).output * w).sum().item<double>(); };
  for (const bool to_input : {true, false}) {
    const auto dL_dx = block->pullback(block->propagate(x), w, to_input);
    EXPECT_EQ(dL_dx.defined(), to_input);
    auto gradients = take_gradients();
    for (auto& item : around->named_parameters()) {
      expect_close(gradients[item.key()], testing::central_differences(loss, item.value().detach()), 1e-8,
                   item.key());
    }
    if (to_input) {
      expect_close(dL_dx, testing::central_differences(loss, x), 1e-8, "input");
    }
  }
}

TEST_F(DifferentiableTest, LearnsWhereEverythingElectronicIsFrozen) {
  block->pullback(block->propagate(x), w);
  const auto expected = take_gradients();
  for (auto& parameter : around->linear->parameters()) {
    parameter.set_requires_grad(false);
  }
  block->pullback(block->propagate(x), w, /*to_input=*/false);
  const auto gradients = take_gradients();
  expect_close(gradients.at("bank.layer.detuning"), expected.at("bank.layer.detuning"), 1e-15);
  EXPECT_FALSE(gradients.at("linear.weight").defined());
}

TEST_F(DifferentiableTest, LearnsFromASignalAtATap) {
  struct TappedImpl : torch::nn::Module {
    torch::Tensor forward(const torch::Tensor& t) { return tap(bank(t)).sum(); }
    Differentiable bank{register_module("bank", differentiable(WeightBank(3, 2)))};
  };
  const auto tapped = std::make_shared<TappedImpl>();
  tapped->to(torch::kFloat64);
  ElectronicBlock with_tap{torch::nn::AnyModule(tapped)};
  const auto pass = with_tap.propagate_parts(x);
  with_tap.pullback(pass, torch::ones({}, torch::kFloat64));
  for (const auto& parameter : tapped->parameters()) {
    EXPECT_FALSE(parameter.grad().defined()) << "the bank stands before the tap";
  }
  with_tap.tap_update(pass, {w});
  const auto detuning = tapped->bank->named_parameters()["layer.detuning"];
  const auto loss = [&] {
    const torch::NoGradGuard no_grad;
    return (tapped->bank(x) * w).sum().item<double>();
  };
  expect_close(detuning.grad(), testing::central_differences(loss, detuning.detach()), 1e-8);
}

TEST_F(DifferentiableTest, IsCopiedWithTheModuleThatHoldsIt) {
  around->bank->eval();
  const auto copy = std::dynamic_pointer_cast<AroundImpl>(around->clone());
  ASSERT_NE(copy, nullptr);
  EXPECT_FALSE(copy->bank->is_training());
  EXPECT_FALSE(copy->bank->layer()->is_training());
  EXPECT_TRUE(copy->linear->is_training());
  EXPECT_NE(copy->bank->layer(), around->bank->layer());
  const auto parameters = around->named_parameters();
  for (const auto& item : copy->named_parameters()) {
    EXPECT_TRUE(item.value().equal(parameters[item.key()])) << item.key();
    EXPECT_FALSE(item.value().is_same(parameters[item.key()])) << item.key();
  }
  // What the copy computes and learns by is its own.
  const torch::NoGradGuard no_grad;
  const auto y = copy->forward(x);
  EXPECT_TRUE(y.equal(around->forward(x)));
  for (auto& parameter : around->parameters()) {
    parameter.add_(1);
  }
  EXPECT_TRUE(copy->forward(x).equal(y));
  ElectronicBlock of_copy{torch::nn::AnyModule(copy)};
  of_copy.pullback(of_copy.propagate(x), w, /*to_input=*/false);
  for (const auto& item : copy->named_parameters()) {
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
  }
  EXPECT_FALSE(around->parameters()[0].grad().defined());
}

TEST_F(DifferentiableTest, IsExportedAsTheLayerIs) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/model.pt";
  Hybrid net(differentiable(WeightBank(WeightBankOptions(3, 3).bits(4))), around, torch::nn::Linear(2, 4),
             Nested());
  net->to(torch::kFloat64);
  net->eval();
  EXPECT_EQ(export_torchscript(net, x, path), 0);
  auto reloaded = torch::jit::load(path);
  const auto other = torch::randn({9, 3}, torch::kFloat64);
  EXPECT_TRUE(reloaded.forward({other}).toTensor().equal(net->forward(other)));
  std::vector<std::string> names;
  for (const auto& buffer : reloaded.named_buffers()) {
    names.push_back(buffer.name);
  }
  const auto has = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  EXPECT_TRUE(has("layer0.layer.weight"));
  EXPECT_TRUE(has("layer1.bank.layer.weight"));
  EXPECT_TRUE(has("layer1.linear.weight"));
  EXPECT_TRUE(has("layer3.sequence.1.layer.weight"));
  EXPECT_FALSE(has("layer1.bank.layer.detuning"));
  const auto graph = reloaded.get_method("forward").graph()->toString();
  EXPECT_EQ(graph.find("optotorch"), std::string::npos);
  EXPECT_EQ(graph.find("square"), std::string::npos) << "the weights are in the file, not their making";
}

// A mesh has operators of its own, which no other machine knows.
TEST_F(DifferentiableTest, AMeshInsideIsExportedAsItsMatrix) {
  struct LightImpl : torch::nn::Module {
    torch::Tensor forward(const torch::Tensor& t) {
      return detector(mesh(at::complex(t, at::zeros_like(t))));
    }
    Differentiable mesh{register_module("mesh", differentiable(MziMesh(3)))};
    Differentiable detector{register_module("detector", differentiable(Photodetector()))};
  };
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/model.pt";
  Hybrid net;
  net->push_back(torch::nn::AnyModule(std::make_shared<LightImpl>()));
  net->to(torch::kFloat64);
  EXPECT_EQ(export_torchscript(net, x, path), 0);
  auto reloaded = torch::jit::load(path);
  net->eval();
  EXPECT_TRUE(reloaded.forward({x}).toTensor().equal(net->forward(x)));
  EXPECT_EQ(reloaded.get_method("forward").graph()->toString().find("optotorch"), std::string::npos);
}

}  // namespace
}  // namespace optotorch
