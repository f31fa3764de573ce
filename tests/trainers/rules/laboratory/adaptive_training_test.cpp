// Adaptive training: which meshes are frozen when, and that the fields behind them are the measured ones.

#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <support/differences.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/stages.h>
#include <torch/optim/adam.h>

namespace optotorch::testing::laboratories {
namespace {

using testing::expect_close;

class AdaptiveTrainingTest : public OneThreadTest {
 protected:
  AdaptiveTrainingTest() { torch::manual_seed(5); }
};

/// Everything that a checkpoint holds.
struct AdaptiveCourse {
  explicit AdaptiveCourse(int64_t steps_per_stage, int64_t seed = 1) : rule(steps_per_stage) {
    torch::manual_seed(seed);
    network = network_of(simulated());
    net->push_back(network);
    optimizer = std::make_unique<torch::optim::Adam>(network->parameters(), torch::optim::AdamOptions(2e-2));
  }

  void go(int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      torch::manual_seed(100 + i);
      const auto x = fields();
      const auto target = targets();
      optimizer->zero_grad();
      rule.step(*net, x, target, cross_entropy);
      optimizer->step();
    }
  }

  AdaptiveTraining rule;
  PhysicalNetwork network = nullptr;
  Hybrid net;
  std::unique_ptr<torch::optim::Adam> optimizer;
};

// Adam's momentum would go on moving phases whose gradient is zero: a frozen mesh has none.
TEST_F(AdaptiveTrainingTest, FrozenMeshesKeepTheirPhasesToTheBit) {
  for (const int64_t steps : {1, 2, 3}) {
    AdaptiveCourse run(steps);
    BackPropagation warm;  // every phase has a momentum before the first stage
    for (int i = 0; i < 2; ++i) {
      run.optimizer->zero_grad();
      warm.step(*run.net, fields(), targets(), cross_entropy);
      run.optimizer->step();
    }
    for (int64_t step = 0; step < 3 * steps; ++step) {
      const auto frozen = static_cast<size_t>(std::min<int64_t>(1 + step / steps, 2));
      std::vector<Tensors> before;
      for (const auto& mesh : meshes_of(*run.network)) {
        before.push_back(parameters_by_name(*mesh));
      }
      run.go(step, step + 1);
      for (size_t n = 0; n < meshes; ++n) {
        const auto now = parameters_by_name(*meshes_of(*run.network)[n]);
        for (const auto& [name, phases] : before[n]) {
          EXPECT_EQ(now.at(name).equal(phases), n < frozen)
              << steps << ", step " << step << ": " << n << "." << name;
        }
      }
    }
  }
}

// Meshes behind the frozen ones learn by back-propagation, for what |P| exp(i arg S) makes of the activation.
TEST_F(AdaptiveTrainingTest, FieldsBehindFrozenMeshesAreTheMeasuredOnes) {
  for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
    for (const size_t frozen : {1, 2}) {
      auto network = network_of(simulated(), fusion);
      Hybrid net(network);
      AdaptiveTraining rule(1);
      rule.load_state({{"steps", torch::tensor(static_cast<int64_t>(frozen) - 1)}});
      const auto x = fields();
      const auto target = targets();
      const auto meshes_before = network->system()->measurements();
      const auto result = rule.step(*net, x, target, cross_entropy);
      EXPECT_EQ(network->system()->measurements() - meshes_before, batch);
      const auto readings = network->readings_of(network->measure(x));

      // arg S of the error-free meshes up to the last frozen one.
      auto field = x;
      torch::Tensor s;
      for (size_t n = 0; n < frozen; ++n) {
        s = meshes_of(*network)[n]->forward(n == 0 ? field : activation()->forward(s));
      }
      const auto fused = at::polar(readings.behind[frozen - 1].sqrt(), s.angle());
      // In place only slopes at the frozen mesh are those of the measured state, and nobody reads them.
      field = activation()->forward(fusion == Fusion::propagate ? fused : s);
      Hybrid behind;
      for (size_t n = frozen; n < meshes; ++n) {
        behind->push_back(MziMesh(std::dynamic_pointer_cast<MziMeshImpl>(meshes_of(*network)[n]->clone())));
        if (n + 1 < meshes) {
          behind->push_back(ElectroOpticActivation(activation()));
        }
      }
      behind->push_back(Photodetector(PhotodetectorOptions().detection(Detection::intensity)));
      BackPropagation exact;
      behind->zero_grad();
      const auto expected = exact.step(*behind, field, target, cross_entropy);
      expect_close(result.output, expected.output, 1e-11);
      expect_close(result.loss, expected.loss, 1e-11);
      const auto found = gradients(*network), wanted = gradients(*behind);
      const size_t each = found.size() / meshes;
      for (size_t i = 0; i < found.size(); ++i) {
        if (i < frozen * each) {
          EXPECT_FALSE(found[i].defined()) << i;
        } else {
          expect_close(found[i], wanted[i - frozen * each], 1e-10, std::to_string(i));
        }
      }
    }
  }
}

TEST_F(AdaptiveTrainingTest, AStoppedRunContinuesToTheSameBits) {
  AdaptiveCourse whole(2);
  whole.go(0, 6);
  for (const int64_t stop : {1, 2, 3, 5}) {
    AdaptiveCourse stopped(2);
    stopped.go(0, stop);
    const auto state = stopped.rule.state();
    EXPECT_EQ(state.at("steps").item<int64_t>(), stop);
    const auto adam = optimizer_state(*stopped.optimizer);
    const auto phases = parameters_by_name(*stopped.network);
    AdaptiveCourse fresh(2, /*seed=*/9);
    fresh.rule.load_state(state);
    expect_equal(fresh.rule.state(), state, "a state that waits");
    load_optimizer_state(*fresh.optimizer, adam);
    for (auto& item : fresh.network->named_parameters()) {
      item.value().detach().copy_(phases.at(item.key()));
    }
    stopped.go(stop, 6);  // the state is no longer that of this one
    fresh.go(stop, 6);
    expect_equal(parameters_by_name(*fresh.network), parameters_by_name(*whole.network),
                 std::to_string(stop));
    expect_equal(fresh.rule.state(), whole.rule.state(), "state");
  }
}

TEST_F(AdaptiveTrainingTest, AlignmentTakesNoStep) {
  AdaptiveCourse run(1), twin(1);
  alignment(run.rule, *run.net, fields(), targets(), cross_entropy);
  EXPECT_EQ(run.rule.state().at("steps").item<int64_t>(), 0);
  run.go(0, 3);
  twin.go(0, 3);
  expect_equal(parameters_by_name(*run.network), parameters_by_name(*twin.network));
}

// Corrections that are there correct the model of the meshes that learn.
TEST_F(AdaptiveTrainingTest, OneMeshIsNeverFrozen) {
  const auto layout = MziMeshOptions(ports).layout();
  PhysicalNetwork network(std::make_shared<SimulatedSystem>(Chip(layout, errors(), 1)),
                          PhysicalNetworkOptions(ports).detection(Detection::intensity));
  network->to(torch::kFloat64);
  Hybrid net(network);
  const auto x = fields();
  const auto target = targets();
  AdaptiveTraining rule(1);
  rule.step(*net, x, target, cross_entropy);
  const auto found = gradients(*net);
  net->zero_grad();
  InSilico in_silico;
  in_silico.step(*net, x, target, cross_entropy);
  const auto wanted = gradients(*net);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(found[i].equal(wanted[i])) << i;
  }
  EXPECT_EQ(network->system()->measurements(), 0);
}

TEST_F(AdaptiveTrainingTest, WrongInputIsRejected) {
  for (const int64_t bad : {0, -1}) {
    expect_complaint({"at", "steps_per_stage", std::to_string(bad)}, [&] { AdaptiveTraining rule(bad); });
  }
  auto without_monitors = network_of(simulated(false));
  Hybrid net(without_monitors);
  const auto before = parameters_by_name(*net);
  AdaptiveTraining rule(1);
  expect_complaint({"at", "system", "monitors"},
                   [&] { rule.step(*net, fields(), targets(), cross_entropy); });
  expect_equal(parameters_by_name(*net), before);
  EXPECT_EQ(rule.state().at("steps").item<int64_t>(), 0);
  MziMesh mesh(ports);
  mesh->to(torch::kFloat64);
  Hybrid elsewhere(mesh, Photodetector());
  expect_complaint({"at", "one PhysicalNetwork"},
                   [&] { rule.step(*elsewhere, fields(), targets(), cross_entropy); });

  auto network = network_of(simulated());
  correct(*network);
  Hybrid corrected(network);
  AdaptiveTraining met(1);
  met.step(*corrected, fields(), targets(), cross_entropy);
  const auto good = met.state();
  const Tensors wrong[] = {{},
                           {{"steps", torch::tensor(int64_t{1})}},  // without the corrections
                           {{"steps", torch::tensor(1.0)}},
                           {{"steps", torch::tensor(int64_t{-1})}},
                           {{"steps", torch::ones({2}, torch::kInt64)}}};
  for (const auto& state : wrong) {
    expect_complaint({"at", "state"}, [&] { met.load_state(state); });
    expect_equal(met.state(), good);
  }
}

}  // namespace
}  // namespace optotorch::testing::laboratories
