// Networks with more than one laboratory, and with stages that are no meshes, under the rules that measure.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/corrections/linear_correction.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/phase_screen.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/identify.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <support/differences.h>
#include <support/losses.h>
#include <support/mesh_cases.h>
#include <support/parameters.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

#include <memory>
#include <string>
#include <vector>

namespace optotorch {
namespace {

using Stages = std::vector<std::shared_ptr<Stage>>;

const Imperfections errors =
    Imperfections().splitter_error(0.1).phase_error(0.2).resonance_error(0.2).loss_db(0.1);

enum class Corrected { nothing, white_box, linear, truth };

PhysicalNetwork laboratory(const Stages& stages, Corrected corrected, int64_t seed,
                           const Imperfections& imperfections = errors) {
  std::vector<std::shared_ptr<BuiltStage>> hardware;
  std::vector<std::shared_ptr<Correction>> corrections;
  for (const auto& stage : stages) {
    hardware.push_back(built(*stage, imperfections, seed++));
    if (corrected == Corrected::linear) {
      corrections.push_back(std::make_shared<LinearCorrection>(stage->design()));
    } else if (corrected != Corrected::nothing) {
      const auto box = std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(*stage));
      const torch::NoGradGuard no_grad;
      for (const auto& [name, error] : corrected == Corrected::truth ? hardware.back()->errors() : Values()) {
        box->error(name).copy_(error);
      }
      corrections.push_back(box);
    }
  }
  PhysicalNetwork network(
      std::make_shared<SimulatedSystem>(hardware, SimulatedSystemOptions().monitors(true)), stages,
      PhysicalNetworkOptions());
  if (!corrections.empty()) {
    network->set_corrections(corrections);
  }
  return network;
}

/// Light, electronics, light; without loss, of which no white box of a mesh knows.
Hybrid two(Corrected corrected) {
  const auto lossless = Imperfections(errors).loss_db(0);
  auto first = laboratory({PhaseScreen(6).ptr(), MziMesh(6).ptr()}, corrected, 1, lossless);
  auto second = laboratory({MziMesh(5).ptr()}, corrected, 11, lossless);
  Hybrid net(Modulator(6), first, torch::nn::Linear(6, 5), torch::nn::Tanh(), Modulator(5), second,
             torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  for (auto* network : {first.get(), second.get()}) {
    for (const auto& correction : network->corrections()) {
      correction->to(torch::kFloat64);
    }
  }
  return net;
}

/// A task that a small network can learn: which of three thirds of the values is the brightest.
struct Task {
  explicit Task(int64_t samples) {
    x = torch::rand({samples, 6}, torch::kDouble);
    target = x.view({samples, 3, 2}).sum(2).argmax(1);
  }
  torch::Tensor x, target;
};

class SeveralLaboratoriesTest : public OneThreadTest {
 protected:
  static double train(HybridImpl& net, Rule& rule, const Task& task, int steps, double rate = 2e-2) {
    torch::optim::Adam adam(net.parameters(), torch::optim::AdamOptions(rate));
    for (int step = 0; step < steps; ++step) {
      adam.zero_grad();
      rule.step(net, task.x, task.target, testing::class_loss);
      adam.step();
    }
    return testing::class_loss(net.forward(task.x), task.target).item<double>();
  }
};

TEST_F(SeveralLaboratoriesTest, WithTheTruthTheSlopesAreThoseOfTheHardware) {
  torch::manual_seed(3);
  auto net = two(Corrected::truth);
  const Task task(5);
  InSilico rule;
  net->zero_grad();
  rule.step(*net, task.x, task.target, testing::class_loss);
  for (const auto& item : net->named_parameters()) {
    auto value = item.value();
    const auto gradient = value.grad().clone();
    const auto measured = testing::central_differences(
        [&] {
          const torch::NoGradGuard no_grad;
          return testing::class_loss(net->forward(task.x), task.target).item<double>();
        },
        value);
    EXPECT_LT((gradient - measured).abs().max().item<double>(), 1e-6) << item.key();
  }
}

TEST_F(SeveralLaboratoriesTest, EveryRuleTrainsThem) {
  for (const auto corrected : {Corrected::white_box, Corrected::linear}) {
    for (const std::string name : {"in-silico", "pat", "at", "dat"}) {
      torch::manual_seed(4);
      auto net = two(corrected);
      const Task task(60);
      std::unique_ptr<Rule> rule;
      if (name == "dat") {
        rule = std::make_unique<DualAdaptive>(DualAdaptiveOptions().rate(1e-2).steps(120));
      } else if (name == "at") {
        rule = std::make_unique<AdaptiveTraining>(60);
      } else if (name == "pat") {
        rule = std::make_unique<PhysicsAware>();
      } else {
        rule = std::make_unique<InSilico>();
      }
      const double before = testing::class_loss(net->forward(task.x), task.target).item<double>();
      const double after = train(*net, *rule, task, 120);
      EXPECT_LT(after, name == "in-silico" || name == "at" ? before : 0.8 * before)
          << name << ", " << static_cast<int>(corrected);
      EXPECT_EQ(rule->name(), name);
    }
  }
}

// The white box learns what kind of errors there are: identified, the model is the hardware.
TEST_F(SeveralLaboratoriesTest, AWeightBankIsIdentified) {
  torch::manual_seed(5);
  for (const auto corrected : {Corrected::white_box, Corrected::linear}) {
    auto network = laboratory({WeightBank(6, 4).ptr()}, corrected, 3);
    const auto x = torch::rand({40, 6});
    struct Light : BatchSource {
      torch::Tensor x;
      int64_t size() const override { return 1; }
      Batch batch(int64_t, int64_t) const override { return {x, torch::Tensor()}; }
    } light;
    light.x = x;
    const auto losses = identify(*network, light, IdentifyOptions().batches(400).rate(2e-2));
    EXPECT_LT(losses.back(), (corrected == Corrected::linear ? 0.5 : 1e-2) * losses.front())
        << static_cast<int>(corrected);
  }
}

TEST_F(SeveralLaboratoriesTest, BanksAndScreensLearnInSitu) {
  for (const std::string name : {"pat", "dat", "bp"}) {
    for (const auto corrected : {Corrected::white_box, Corrected::linear}) {
      torch::manual_seed(6);
      auto bank = laboratory({WeightBank(6, 8).ptr()}, corrected, 1);
      auto head = laboratory({WeightBank(8, 3).ptr()}, corrected, 5);
      Hybrid net(bank, torch::nn::Tanh(), head);
      net->to(torch::kFloat64);
      for (auto* network : {bank.get(), head.get()}) {
        for (const auto& correction : network->corrections()) {
          correction->to(torch::kFloat64);
        }
      }
      const Task task(60);
      std::unique_ptr<Rule> rule;
      if (name == "dat") {
        rule = std::make_unique<DualAdaptive>(DualAdaptiveOptions().rate(1e-2).steps(150));
      } else if (name == "pat") {
        rule = std::make_unique<PhysicsAware>();
      } else {
        rule = std::make_unique<BackPropagation>();
      }
      const double before = testing::class_loss(net->forward(task.x), task.target).item<double>();
      EXPECT_LT(train(*net, *rule, task, 150), 0.8 * before) << name << ", " << static_cast<int>(corrected);
    }
  }
}

TEST_F(SeveralLaboratoriesTest, AStateOfTwoGoesOn) {
  const auto options = DualAdaptiveOptions().rate(1e-2).steps(20);
  const Task task(20);
  torch::manual_seed(7);
  auto whole = two(Corrected::white_box);
  torch::manual_seed(7);
  auto half = two(Corrected::white_box);
  DualAdaptive through(options), before(options), after(options);
  const auto steps = [&](HybridImpl& net, Rule& rule, int count) {
    for (int step = 0; step < count; ++step) {
      net.zero_grad();
      rule.step(net, task.x, task.target, testing::class_loss);
      const torch::NoGradGuard no_grad;
      for (auto& parameter : net.parameters()) {
        parameter.sub_(parameter.grad(), 0.05);
      }
    }
  };
  steps(*whole, through, 8);
  steps(*half, before, 4);
  const auto state = before.state();
  EXPECT_TRUE(state.contains("correction.0.phase_offset"));
  EXPECT_TRUE(state.contains("network1.correction.0.theta_offset"));
  after.load_state(state);
  EXPECT_EQ(after.state().size(), state.size());  // it has met no network yet
  steps(*half, after, 4);
  const auto expected = whole->parameters(), got = half->parameters();
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(expected[i].equal(got[i])) << i;
  }
  const auto last = through.state();
  for (const auto& [name, tensor] : after.state()) {
    EXPECT_TRUE(tensor.equal(last.at(name))) << name;
  }
  DualAdaptive other(options);
  auto broken = state;
  broken.erase("network1.correction.0.theta_offset");
  other.load_state(broken);
  expect_complaint({"dat", "correction.0.theta_offset"}, [&] { steps(*half, other, 1); });
}

}  // namespace
}  // namespace optotorch
