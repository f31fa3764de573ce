// What dual adaptive training promises of a training: what it measures, whom it teaches, what it refuses,
// and that it learns.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <support/differences.h>
#include <support/dual_adaptive.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>
#include <support/stages.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <cstdio>
#include <string>

namespace optotorch::testing::laboratories {
namespace {

using testing::copies;
using testing::corrected;
using testing::CorrectionCase;
using testing::expect_close;
using testing::learners;
using testing::Parameters;

class DualAdaptiveTrainingTest : public OneThreadTest {
 protected:
  DualAdaptiveTrainingTest() { torch::manual_seed(7); }
};

TEST_F(DualAdaptiveTrainingTest, CalibrationKeepsThePhases) {
  for (const double to_phases : {0.0, 1.0}) {
    auto network = corrected_network(simulated(), testing::linear_case());
    Hybrid net(network);
    DualAdaptive rule(DualAdaptiveOptions().calibration_steps(2).similarity_to_phases(to_phases));
    for (int step = 0; step < 3; ++step) {
      net->zero_grad();
      const auto before = copies(learners(*network));
      rule.step(*net, fields(), targets(), cross_entropy);
      for (const auto& [name, parameter] : learners(*network)) {
        const bool of_correction = name.starts_with("correction.");
        EXPECT_EQ(parameter.equal(before.at(name)), !of_correction) << name;
        if (!of_correction) {
          EXPECT_EQ(parameter.grad().defined(), step == 2) << name;
        }
      }
    }
  }
}

TEST_F(DualAdaptiveTrainingTest, AStepMeasuresItsBatchOnce) {
  for (const auto similarity : {Similarity::output, Similarity::unitary, Similarity::separable}) {
    const auto system = simulated();
    auto network = corrected_network(system, testing::white_box_case("WhiteBox", true));
    Hybrid net(network);
    DualAdaptive rule(DualAdaptiveOptions().similarity(similarity).similarity_to_phases(1));
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(phase_rate));
    EXPECT_TRUE(std::isnan(rule.similarity_loss()));
    for (int64_t step = 1; step <= 3; ++step) {
      optimizer.zero_grad();
      const auto result = rule.step(*net, fields(), targets(), cross_entropy);
      optimizer.step();
      EXPECT_EQ(system->measurements(), batch * step);
      EXPECT_EQ(system->commands(), step);
      EXPECT_EQ(result.output.sizes(), (at::IntArrayRef{batch, ports}));
      EXPECT_TRUE(std::isfinite(rule.similarity_loss()));
    }
  }
}

// Other layers around the network learn by back-propagation.
TEST_F(DualAdaptiveTrainingTest, TeachesTheLayersAroundTheNetwork) {
  constexpr int64_t window = 3;
  auto network = corrected_network(simulated(true, window * window), testing::linear_case());
  Hybrid net(FourierLens(window), MziMesh(window * window), network,
             torch::nn::Linear(window * window, classes));
  net->to(torch::kFloat64);
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) {
    return torch::nn::functional::cross_entropy(y, t);
  };
  const auto x = torch::rand({batch, 1, 6, 6}, torch::kFloat64);
  const auto target = targets();
  DualAdaptive rule(DualAdaptiveOptions().similarity_to_phases(0));
  const auto result = rule.step(*net, x, target, loss);
  Parameters found;
  for (auto& item : net->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    found[item.key()] = item.value().grad().clone();
  }
  // The corrections have learnt; the task's gradient is that of the layer as it is now.
  net->zero_grad();
  BackPropagation exact;
  EXPECT_TRUE(exact.step(*net, x, target, loss).output.equal(result.output));
  for (const auto& item : net->named_parameters()) {
    expect_close(found.at(item.key()), item.value().grad(), 1e-12, item.key());
  }
}

TEST_F(DualAdaptiveTrainingTest, WrongOptionsAndNetworksAreRejected) {
  const auto rejects = [](const std::string& option, const DualAdaptiveOptions& options) {
    expect_complaint({"dat", option}, [&] { DualAdaptive rule(options); });
  };
  for (const double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    rejects("rate", DualAdaptiveOptions().rate(bad));
  }
  for (const double bad : {-1.0, std::nan(""), HUGE_VAL}) {
    rejects("similarity_to_phases", DualAdaptiveOptions().similarity_to_phases(bad));
  }
  for (const double bad : {-0.1, 1.0, std::nan("")}) {
    rejects("beta2", DualAdaptiveOptions().beta2(bad));
  }
  rejects("steps", DualAdaptiveOptions().steps(0));
  rejects("calibration_steps", DualAdaptiveOptions().calibration_steps(-1));
  rejects("warm_up_steps", DualAdaptiveOptions().warm_up_steps(-1));
  rejects("compared_ports", DualAdaptiveOptions().compared_ports(-1));

  const auto x = fields();
  const auto target = targets();
  DualAdaptive rule;
  const auto step = [&](Hybrid net) { rule.step(*net, x, target, cross_entropy); };
  auto plain = network_of(simulated());
  expect_complaint({"dat", "model", "set_corrections"}, [&] { step(Hybrid(plain)); });
  EXPECT_EQ(plain->system()->measurements(), 0);
  MziMesh mesh(ports);
  mesh->to(torch::kFloat64);
  expect_complaint({"dat", "model"}, [&] { step(Hybrid(mesh, Photodetector())); });
  const auto row = testing::linear_case();

  auto without_monitors = corrected_network(simulated(false), row);
  const auto before = copies(learners(*without_monitors));
  for (const auto similarity : {Similarity::unitary, Similarity::separable}) {
    rule = DualAdaptive(DualAdaptiveOptions().similarity(similarity));
    expect_complaint({"dat", "monitors", "Similarity::output"}, [&] { step(Hybrid(without_monitors)); });
  }
  expect_equal(learners(*without_monitors), before);
}

/// Classes of random fields, scattered anew in every step: from the last readings of one batch alone a
/// correction learns that batch and not the chip.
struct Toy {
  static constexpr int64_t toy_ports = 8, samples = 64;

  /// The mean of the last ten of `steps` losses of the physical system.
  double train(Hybrid& net, Rule& rule, int steps, double rate) const {
    torch::manual_seed(4);
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(rate));
    double loss = 0;
    for (int step = 0; step < steps; ++step) {
      const auto x =
          centres.index_select(0, target) + 0.5 * torch::randn({samples, toy_ports}, torch::kComplexDouble);
      optimizer.zero_grad();
      const double now = rule.step(*net, x, target, cross_entropy).loss.item<double>();
      optimizer.step();
      loss += step + 10 < steps ? 0 : now / 10;
    }
    return loss;
  }

  torch::Tensor centres = torch::randn({classes, toy_ports}, torch::kComplexDouble);
  torch::Tensor target = torch::arange(samples).remainder(classes);
};

TEST_F(DualAdaptiveTrainingTest, LearnsTheChipAndTheTask) {
  const Toy toy;
  const auto harsh = Imperfections().splitter_error(0.15).phase_error(0.2);
  const auto fresh = [&](const CorrectionCase* row, bool internal_states) {
    torch::manual_seed(3);
    auto network =
        corrected(network_of(simulated(true, Toy::toy_ports, harsh), Fusion::propagate, internal_states),
                  row == nullptr ? testing::linear_case() : *row, 0);
    if (row == nullptr) {
      auto plain = network_of(network->system(), Fusion::propagate, internal_states);
      plain->copy_commands(
          {meshes_of(*network)[0].get(), meshes_of(*network)[1].get(), meshes_of(*network)[2].get()});
      return plain;
    }
    return network;
  };
  const auto row = testing::white_box_case("WhiteBox", true);
  const auto compare = [&](Similarity similarity, int steps, double rate, int calibration) {
    const bool monitors = similarity != Similarity::output;
    BackPropagation by_model;
    Hybrid plain(fresh(nullptr, monitors)), taught(fresh(&row, monitors));
    const double physics_aware = toy.train(plain, by_model, steps, rate);
    DualAdaptive rule(DualAdaptiveOptions().similarity(similarity).rate(1e-2).calibration_steps(calibration));
    toy.train(taught, rule, 1, rate);
    const double first = rule.similarity_loss();
    toy.train(taught, rule, calibration - 1, rate);
    const double loss = toy.train(taught, rule, steps, rate);
    std::printf("%s: loss %.4f, physics-aware %.4f; similarity %.2e to %.2e\n", name_of(similarity).c_str(),
                loss, physics_aware, first, rule.similarity_loss());
    EXPECT_LT(rule.similarity_loss(), 0.1 * first);
    EXPECT_LT(loss, physics_aware - 0.05);
  };
  compare(Similarity::unitary, 150, phase_rate, 50);
  compare(Similarity::separable, 150, phase_rate, 50);
  // Without monitors there is less to learn the chip from: a longer calibration, smaller steps.
  compare(Similarity::output, 400, 5e-3, 400);
}

}  // namespace
}  // namespace optotorch::testing::laboratories
