// Convolutions whose component stands in a laboratory, under the rules that measure.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/convolution.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/identify.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/losses.h>
#include <support/mesh_cases.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

#include <memory>
#include <vector>

namespace optotorch {
namespace {

const Imperfections no_errors;
const Imperfections bank_errors = Imperfections().resonance_error(.3).loss_db(.1);

enum class Boxed { nothing, white_box, truth };

/// A stage in a laboratory of its own.
std::shared_ptr<PhysicalNetworkImpl> measured(const std::shared_ptr<Stage>& stage, Boxed corrected,
                                              const Imperfections& imperfections, int64_t seed) {
  const auto hardware = built(*stage, imperfections, seed);
  auto network = std::make_shared<PhysicalNetworkImpl>(
      std::make_shared<SimulatedSystem>(std::vector{hardware}), std::vector{stage},
      PhysicalNetworkOptions().detection(Detection::intensity));
  if (corrected != Boxed::nothing) {
    auto box = std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*stage));
    if (corrected == Boxed::truth) {
      box->set_errors(hardware->errors());
    }
    box->to(torch::kFloat64);
    network->set_corrections({box});
  }
  return network;
}

struct Networks {
  Hybrid nominal, physical;
};

/// Images [batch, 2, 6, 6]: two convolutions by banks and a read-out, on paper and in the laboratory, with the
/// same parameters.
Networks two_banks(Boxed corrected, const Imperfections& imperfections) {
  Networks networks;
  const auto first = WeightBank(8, 3).ptr(), second = WeightBank(27, 4).ptr();
  const auto head = torch::nn::Linear(16, 3);
  const auto fill = [&](Hybrid& net, const std::shared_ptr<Layer>& one, const std::shared_ptr<Layer>& other) {
    net->push_back(Convolution(ConvolutionOptions(one, 2).stride(2)));
    net->push_back(torch::nn::Tanh());
    net->push_back(Convolution(ConvolutionOptions(other, 3).padding(1).stride({2, 2})));
    net->push_back(torch::nn::Tanh());
    net->push_back(torch::nn::Flatten());
    net->push_back(head);
  };
  fill(networks.nominal, first, second);
  fill(networks.physical, measured(first, corrected, imperfections, 1),
       measured(second, corrected, imperfections, 2));
  networks.nominal->to(torch::kFloat64);
  networks.physical->to(torch::kFloat64);
  return networks;
}

torch::Tensor images(int64_t batch) {
  return torch::rand({batch, 2, 6, 6}, torch::kFloat64);
}

std::vector<torch::Tensor> gradients(Hybrid& net, Rule& rule, const torch::Tensor& x,
                                     const torch::Tensor& target) {
  net->zero_grad();
  rule.step(*net, x, target, testing::class_loss);
  std::vector<torch::Tensor> all;
  for (const auto& parameter : net->parameters()) {
    all.push_back(parameter.grad().clone());
  }
  return all;
}

class MeasuredConvolutionTest : public OneThreadTest {};

TEST_F(MeasuredConvolutionTest, PerfectHardwareIsTheConvolution) {
  torch::manual_seed(1);
  auto [nominal, physical] = two_banks(Boxed::nothing, no_errors);
  const auto x = images(5), target = torch::randint(3, {5});
  EXPECT_TRUE(physical->forward(x).allclose(nominal->forward(x), 1e-12, 1e-12));
  BackPropagation bp;
  PhysicsAware pat;
  const auto expected = gradients(nominal, bp, x, target);
  const auto got = gradients(physical, pat, x, target);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(got[i].allclose(expected[i], 1e-10, 1e-12)) << i;
  }
}

TEST_F(MeasuredConvolutionTest, TheInstrumentMeetsEveryPatchOnce) {
  auto [nominal, physical] = two_banks(Boxed::nothing, no_errors);
  const auto networks = laboratory_networks("test", *physical);
  ASSERT_EQ(networks.size(), 2);
  physical->forward(images(5));
  EXPECT_EQ(networks[0].network->system()->measurements(), 5 * 9);
  EXPECT_EQ(networks[1].network->system()->measurements(), 5 * 4);
}

TEST_F(MeasuredConvolutionTest, WithTheTruthTheSlopesAreThoseOfTheHardware) {
  torch::manual_seed(2);
  auto net = two_banks(Boxed::truth, bank_errors).physical;
  const auto x = images(3), target = torch::randint(3, {3});
  for (const bool measures : {false, true}) {
    InSilico in_silico;
    DualAdaptive dat(DualAdaptiveOptions().rate(1e-12));
    const auto slopes = gradients(net, measures ? static_cast<Rule&>(dat) : in_silico, x, target);
    size_t i = 0;
    for (const auto& item : net->named_parameters()) {
      const auto differences = testing::central_differences(
          [&] {
            const torch::NoGradGuard no_grad;
            return testing::class_loss(net->forward(x), target).item<double>();
          },
          item.value());
      EXPECT_TRUE(slopes[i].allclose(differences, 1e-6, 1e-8)) << item.key();
      ++i;
    }
  }
}

TEST_F(MeasuredConvolutionTest, IdentifyFindsTheErrorsFromPatches) {
  torch::manual_seed(3);
  auto net = two_banks(Boxed::white_box, bank_errors).physical;
  const auto first = laboratory_networks("test", *net).front();
  struct Patches : BatchSource {
    explicit Patches(torch::Tensor rows) : rows(std::move(rows)) {}
    int64_t size() const override { return 1; }
    Batch batch(int64_t /*epoch*/, int64_t /*index*/) const override { return {rows, {}}; }
    torch::Tensor rows;
  };
  const auto losses = identify(*first.network, Patches(first.meets(images(40))),
                               IdentifyOptions().batches(600).rate(5e-2).similarity(Similarity::output));
  EXPECT_LT(losses.back(), losses.front() / 100);
}

TEST_F(MeasuredConvolutionTest, TrainsAdaptively) {
  torch::manual_seed(4);
  const auto x = images(60);
  const auto target = x.flatten(1).reshape({60, 3, 24}).sum(2).argmax(1);
  auto net = two_banks(Boxed::white_box, bank_errors).physical;
  DualAdaptive rule(DualAdaptiveOptions().similarity(Similarity::output).rate(1e-2));
  torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(2e-2));
  double first = 0;
  for (int step = 0; step < 150; ++step) {
    adam.zero_grad();
    rule.step(*net, x, target, testing::class_loss);
    adam.step();
    if (step == 0) {
      first = rule.measures().at("similarity_loss");
    }
  }
  EXPECT_LT(rule.measures().at("similarity_loss"), first / 10);
  EXPECT_LT(testing::class_loss(net->forward(x), target).item<double>(), .3);
}

TEST_F(MeasuredConvolutionTest, TwoPassRulesReachTheCommands) {
  torch::manual_seed(5);
  auto [nominal, physical] = two_banks(Boxed::nothing, no_errors);
  const auto x = images(5), target = torch::randint(3, {5});
  TwoPassForward on_paper, measured;
  const auto expected = gradients(nominal, on_paper, x, target);
  const auto got = gradients(physical, measured, x, target);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(got[i].allclose(expected[i], 1e-8, 1e-10)) << i;
  }
}

TEST_F(MeasuredConvolutionTest, FieldsAreRead) {
  torch::manual_seed(6);
  const auto mesh = MziMesh(8).ptr();
  mesh->to(torch::kFloat64);
  const auto x = torch::randn({2, 2, 5, 5}, torch::kComplexDouble);
  const ConvolutionOptions options(mesh, 2);
  Convolution bare(options);
  Convolution read(ConvolutionOptions(options).component(measured(mesh, Boxed::nothing, no_errors, 1)));
  EXPECT_TRUE(read->forward(x).allclose(bare->forward(x).abs().square(), 1e-10, 1e-12));
}

TEST_F(MeasuredConvolutionTest, EvalModeMeasures) {
  torch::manual_seed(7);
  auto net = two_banks(Boxed::white_box, bank_errors).physical;
  const auto x = images(4);
  const auto expected = net->forward(x);
  net->eval();
  EXPECT_TRUE(net->forward(x).equal(expected));
  EXPECT_SAYS(net->layer(0).deploy(), "PhysicalNetwork: deploy");
}

}  // namespace
}  // namespace optotorch
