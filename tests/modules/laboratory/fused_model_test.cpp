// Three meshes behind one system: what the layer computes, forwards and backwards, is what its header says.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <support/differences.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>
#include <support/stages.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace optotorch::testing::laboratories {
namespace {

using testing::corrected;
using testing::CorrectionCase;
using testing::expect_close;
using testing::learners;
using testing::SlowNetwork;
using testing::take_gradients;
using Learns = Correction::Learns;

class FusedModelTest : public ::testing::Test {
 protected:
  FusedModelTest() {
    torch::manual_seed(6);
    x = torch::randn({batch, ports}, torch::kComplexDouble);
    w = torch::randn({batch, ports}, torch::kFloat64);
  }

  /// The layer's signal at the input and all gradients are those of the slow network.
  void expect_pullback_is_slow(PhysicalNetworkImpl& network, const std::optional<CorrectionCase>& row,
                               const std::string& what) const {
    SCOPED_TRACE(what);
    const auto pass = network.propagate(x);
    auto behind = network.readings_of(pass).behind;
    ASSERT_EQ(behind.size(), meshes);
    for (size_t n = 0; n + 1 < meshes; ++n) {
      behind[n] = network.options.internal_states() ? behind[n] : torch::Tensor();
    }
    const SlowNetwork slow(network, row, electro_optics());
    const auto leaf = x.clone().requires_grad_();
    const auto f = slow.fused(leaf, behind, network.options.fusion(), network.strength);
    const auto intensity = f.abs().square();
    const bool amplitude = network.options.detection() == Detection::amplitude;
    const auto h = amplitude ? (intensity + 1e-8).sqrt() : intensity;
    expect_close(amplitude ? pass.output : pass.output.clamp_min(0), h.detach(), 1e-12, "forward");
    const auto loss = (w * h).sum();
    const auto expected = slow.gradients(loss);
    const auto dL_dx = torch::autograd::grad({loss}, {leaf})[0];
    expect_close(network.pullback(pass, w), dL_dx, 1e-10, "x");
    for (const auto& [name, gradient] : take_gradients(learners(network))) {
      if (name.starts_with("correction.")) {
        EXPECT_FALSE(gradient.defined()) << name;  // the task teaches phases only
      } else {
        EXPECT_TRUE(at::allclose(gradient, expected.at(name), 1e-10, 1e-12)) << name;
      }
    }
    network.pullback(pass, w, /*to_input=*/false);
    for (const auto& [name, gradient] : take_gradients(learners(network))) {
      if (gradient.defined()) {
        EXPECT_TRUE(at::allclose(gradient, expected.at(name), 1e-10, 1e-12)) << "to_input=false " << name;
      }
    }
  }

  torch::Tensor x, w;
};

// On perfect chips the network is the same network in silico, with monitors, without, and with any fusion.
TEST_F(FusedModelTest, OnPerfectChipsItIsTheNetworkInSilico) {
  for (const auto& mesh :
       {MziMeshOptions(ports), MziMeshOptions(ports).screen(false).columns(4),
        MziMeshOptions(ports).grid(MeshGrid::triangular).phi_arm(PhiArm::input).zero_state(ZeroState::bar)}) {
    for (const auto detection : {Detection::amplitude, Detection::intensity}) {
      Hybrid twin;
      std::vector<const Stage*> twins;
      for (size_t n = 0; n < meshes; ++n) {
        const auto numerical = std::make_shared<MziMeshImpl>(mesh);
        twins.push_back(numerical.get());
        twin->push_back(numerical);
        if (n + 1 < meshes) {
          twin->push_back(activation());
        }
      }
      twin->push_back(Photodetector(PhotodetectorOptions().detection(detection)));
      twin->to(torch::kFloat64);
      const auto passes = twin->propagate(x);
      torch::Tensor signal = w;
      for (size_t i = twin->size(); i-- > 0;) {
        signal = twin->layer(i).pullback(passes[i], signal);
      }
      for (const bool monitors : {true, false}) {
        for (const bool internal_states : {true, false}) {
          for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
            auto network =
                network_of(simulated(monitors, mesh, Imperfections()),
                           three(mesh).detection(detection).internal_states(internal_states).fusion(fusion));
            network->copy_commands(twins);
            const auto pass = network->propagate(x);
            expect_close(pass.output, passes.back().output, 1e-12, "forward");
            expect_close(network->forward(x), pass.output, 1e-12, "forward");
            expect_close(network->pullback(pass, w), signal, 1e-11, "x");
            for (size_t n = 0; n < meshes; ++n) {
              for (const auto& item : meshes_of(*network)[n]->named_parameters()) {
                const auto& expected = twins[n]->named_parameters()[item.key()].grad();
                // A screen before the detectors has no slope but for rounding.
                EXPECT_TRUE(at::allclose(item.value().grad(), expected, 1e-11, 1e-12))
                    << n << "." << item.key();
              }
            }
          }
        }
      }
    }
  }
}

TEST_F(FusedModelTest, PullBackIsThatOfTheFusedModel) {
  const std::vector<std::optional<CorrectionCase>> rows = {
      std::nullopt, testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
      testing::white_box_case("WhiteBox", true), testing::white_box_case("WhiteBoxOfPhases", false)};
  for (const auto& row : rows) {
    for (const bool monitors : {true, false}) {
      for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
        for (const double strength : {1.0, 0.3, 0.0}) {
          auto network = network_of(simulated(monitors), three().fusion(fusion));
          if (row) {
            network = corrected(network, *row);
          }
          network->strength = strength;
          expect_pullback_is_slow(*network, row,
                                  c10::str(row ? row->name : "no correction", monitors ? " monitors" : "",
                                           fusion == Fusion::in_place ? " in place" : "", " ", strength));
        }
      }
    }
  }
}

// Readings below zero, other layouts, monitors that are not to be used, and no optics between the meshes.
TEST_F(FusedModelTest, PullBackHoldsInOddSurroundings) {
  const auto row = testing::white_box_case("WhiteBox", true);
  for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
    for (const auto detection : {Detection::amplitude, Detection::intensity}) {
      auto noisy = corrected(network_of(simulated(true, ports, errors().additive_noise(0.3)),
                                        three().fusion(fusion).detection(detection)),
                             row);
      EXPECT_LT(noisy->system()->measurements(), 1);
      expect_pullback_is_slow(*noisy, row, "noise");
      auto blind = corrected(
          network_of(simulated(), three().fusion(fusion).detection(detection).internal_states(false)), row);
      expect_pullback_is_slow(*blind, row, "no internal states");
    }
    const auto mesh = MziMeshOptions(ports).screen(false).columns(4).phi_arm(PhiArm::input);
    auto other = corrected(network_of(simulated(true, mesh), three(mesh).fusion(fusion)), row);
    expect_pullback_is_slow(*other, row, "another layout");
  }
}

// The corrected model alone: what corrections learn from.
TEST_F(FusedModelTest, SignalsGoThroughTheModelAlone) {
  for (const auto& row : {testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
                          testing::white_box_case("WhiteBox", true)}) {
    SCOPED_TRACE(row.name);
    auto network = corrected(network_of(simulated(), three()), row);
    const auto states = network->model(x, nullptr);
    ASSERT_EQ(states.size(), meshes);
    const SlowNetwork slow(*network, row, electro_optics());
    const auto expected = slow.states(x);
    std::vector<torch::Tensor> signals(meshes);
    torch::Tensor loss = torch::zeros({}, torch::kFloat64);
    for (const size_t n : {0U, 2U}) {  // nothing stands behind the second mesh
      signals[n] = torch::randn({batch, ports}, torch::kComplexDouble);
      loss = loss + at::real(signals[n].conj() * expected[n]).sum();
    }
    for (size_t n = 0; n < meshes; ++n) {
      expect_close(states[n].prediction.s, expected[n].detach(), 1e-12, "S");
      EXPECT_TRUE(states[n].fused.equal(states[n].prediction.s));
      EXPECT_EQ(states[n].next.defined(), n + 1 < meshes);
    }
    const auto gradients = slow.gradients(loss);
    for (const auto learns : {Learns::correction, Learns::stage, Learns::nothing}) {
      network->pullback_model(states, signals, learns);
      for (const auto& [name, gradient] : take_gradients(learners(*network))) {
        const auto learner = name.starts_with("correction.") ? Learns::correction : Learns::stage;
        if (learner == learns) {
          expect_close(gradient, gradients.at(name), 1e-10, name);
        } else {
          EXPECT_FALSE(gradient.defined()) << name;
        }
      }
    }
    EXPECT_EQ(network->system()->measurements(), 0);
  }
}

}  // namespace
}  // namespace optotorch::testing::laboratories
