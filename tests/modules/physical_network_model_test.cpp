// Three meshes behind one system: what the layer computes is what its header says, and it learns from
// intensities alone.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/simulated_system.h>
#include <support/differences.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::CorrectionCase;
using testing::expect_close;
using testing::Parameters;
using testing::SlowNetwork;
using Learns = Correction::Learns;

constexpr int64_t ports = 6, batch = 5;
constexpr size_t meshes = 3;
const Imperfections errors = Imperfections().splitter_error(0.1).phase_error(0.2);

ElectroOpticActivationOptions electro_optics() {
  return ElectroOpticActivationOptions().gain(1.3).bias(0.7);
}

std::shared_ptr<Layer> activation() {
  return std::make_shared<ElectroOpticActivationImpl>(electro_optics());
}

PhysicalNetworkOptions three(const MziMeshOptions& mesh = ports) {
  return PhysicalNetworkOptions(mesh).meshes(meshes).activation(activation());
}

std::shared_ptr<PhysicalSystem> simulated(const Imperfections& imperfections, bool taps,
                                          const MziMeshOptions& mesh = ports) {
  std::vector<Chip> chips;
  for (size_t n = 0; n < meshes; ++n) {
    chips.emplace_back(mesh.layout(), imperfections, static_cast<int64_t>(n) + 1);
  }
  return std::make_shared<SimulatedSystem>(chips,
                                           SimulatedSystemOptions().activation(activation()).taps(taps));
}

/// Nothing but intensities that were measured once.
struct Recorded : PhysicalSystem {
  Recorded(const MeshLayout& layout, std::vector<at::Tensor> readings_)
      : PhysicalSystem(std::vector<MeshLayout>(meshes, layout), readings_.size() == meshes),
        readings(std::move(readings_)) {}
  void command(const std::vector<MeshPhases>&) override {}
  std::vector<at::Tensor> read(const at::Tensor&) override {
    ++read_calls;
    return readings;
  }

  std::vector<at::Tensor> readings;
  int read_calls = 0;
};

class PhysicalNetworkModelTest : public ::testing::Test {
 protected:
  PhysicalNetworkModelTest() {
    torch::manual_seed(6);
    x = torch::randn({batch, ports}, torch::kComplexDouble);
    w = torch::randn({batch, ports}, torch::kFloat64);
  }

  static PhysicalNetwork make(const std::shared_ptr<PhysicalSystem>& system,
                              const PhysicalNetworkOptions& options) {
    PhysicalNetwork network(system, options);
    network->to(torch::kFloat64);
    return network;
  }

  /// Corrections that differ from mesh to mesh.
  static void correct(PhysicalNetworkImpl& network, const CorrectionCase& row) {
    std::vector<std::shared_ptr<Correction>> corrections;
    for (size_t n = 0; n < meshes; ++n) {
      corrections.push_back(row.make(network.options.mesh().layout()));
      testing::perturb(*corrections[n]);
    }
    network.set_corrections(corrections);
  }

  /// Gradients by name, those of corrections as SlowNetwork names them; taken away from the parameters.
  static Parameters take_gradients(PhysicalNetworkImpl& network) {
    Parameters result;
    const auto take = [&result](const std::string& prefix, torch::nn::Module& module) {
      for (auto& item : module.named_parameters()) {
        result[prefix + item.key()] = item.value().grad();
        item.value().mutable_grad() = torch::Tensor();
      }
    };
    take("", network);
    for (size_t n = 0; n < network.corrections().size(); ++n) {
      take(c10::str("correction.", n, "."), *network.corrections()[n]);
    }
    return result;
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
    for (const auto& [name, gradient] : take_gradients(network)) {
      if (name.starts_with("correction.")) {
        EXPECT_FALSE(gradient.defined()) << name;  // the task teaches phases only
      } else {
        EXPECT_TRUE(at::allclose(gradient, expected.at(name), 1e-10, 1e-12)) << name;
      }
    }
    network.pullback(pass, w, /*to_input=*/false);
    for (const auto& [name, gradient] : take_gradients(network)) {
      if (gradient.defined()) {
        EXPECT_TRUE(at::allclose(gradient, expected.at(name), 1e-10, 1e-12)) << "to_input=false " << name;
      }
    }
  }

  torch::Tensor x, w;
};

// On perfect chips the network is the same network in silico, with taps, without, and with any fusion.
TEST_F(PhysicalNetworkModelTest, OnPerfectChipsItIsTheNetworkInSilico) {
  for (const auto& mesh :
       {MziMeshOptions(ports), MziMeshOptions(ports).screen(false).columns(4),
        MziMeshOptions(ports).grid(MeshGrid::triangular).phi_arm(PhiArm::input).zero_state(ZeroState::bar)}) {
    for (const auto detection : {Detection::amplitude, Detection::intensity}) {
      Hybrid twin;
      std::vector<const MziMeshImpl*> twins;
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
      for (const bool taps : {true, false}) {
        for (const bool internal_states : {true, false}) {
          for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
            auto network =
                make(simulated(Imperfections(), taps, mesh),
                     three(mesh).detection(detection).internal_states(internal_states).fusion(fusion));
            network->copy_phases(twins);
            const auto pass = network->propagate(x);
            expect_close(pass.output, passes.back().output, 1e-12, "forward");
            expect_close(network->forward(x), pass.output, 1e-12, "forward");
            expect_close(network->pullback(pass, w), signal, 1e-11, "x");
            for (size_t n = 0; n < meshes; ++n) {
              for (const auto& item : network->meshes()[n]->named_parameters()) {
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

TEST_F(PhysicalNetworkModelTest, PullBackIsThatOfTheFusedModel) {
  const std::vector<std::optional<CorrectionCase>> rows = {
      std::nullopt, testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
      testing::white_box_case("WhiteBox", true), testing::white_box_case("WhiteBoxOfPhases", false)};
  for (const auto& row : rows) {
    for (const bool taps : {true, false}) {
      for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
        for (const double strength : {1.0, 0.3, 0.0}) {
          auto network = make(simulated(errors, taps), three().fusion(fusion));
          if (row) {
            correct(*network, *row);
          }
          network->strength = strength;
          expect_pullback_is_slow(*network, row,
                                  c10::str(row ? row->name : "no correction", taps ? " taps" : "",
                                           fusion == Fusion::in_place ? " in place" : "", " ", strength));
        }
      }
    }
  }
}

// Readings below zero, other layouts, taps that are not to be used, and no optics between the meshes.
TEST_F(PhysicalNetworkModelTest, PullBackHoldsInOddSurroundings) {
  const auto row = testing::white_box_case("WhiteBox", true);
  for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
    for (const auto detection : {Detection::amplitude, Detection::intensity}) {
      auto noisy = make(simulated(Imperfections(errors).additive_noise(0.3), true),
                        three().fusion(fusion).detection(detection));
      correct(*noisy, row);
      EXPECT_LT(noisy->system()->measurements(), 1);
      expect_pullback_is_slow(*noisy, row, "noise");
      auto blind =
          make(simulated(errors, true), three().fusion(fusion).detection(detection).internal_states(false));
      correct(*blind, row);
      expect_pullback_is_slow(*blind, row, "no internal states");
    }
    const auto mesh = MziMeshOptions(ports).screen(false).columns(4).phi_arm(PhiArm::input);
    auto other = make(simulated(errors, true, mesh), three(mesh).fusion(fusion));
    correct(*other, row);
    expect_pullback_is_slow(*other, row, "another layout");
  }
}

// With taps that must not be used, the update is that of a system without taps.
TEST_F(PhysicalNetworkModelTest, InternalStatesAreUsedOnlyIfWanted) {
  const auto update = [&](bool taps, bool internal_states) {
    torch::manual_seed(3);
    auto network = make(simulated(errors, taps), three().internal_states(internal_states));
    network->pullback(network->propagate(x), w);
    return take_gradients(*network);
  };
  const auto without = update(false, true), unused = update(true, false), used = update(true, true);
  for (const auto& [name, gradient] : without) {
    EXPECT_TRUE(gradient.equal(unused.at(name))) << name;
    EXPECT_GT(testing::relative_distance(gradient, used.at(name)), 1e-3) << name;
  }
}

// The errors of the system reach an update through intensities and in no other way.
TEST_F(PhysicalNetworkModelTest, IntensitiesAreAllThatAnUpdateKnows) {
  for (const bool taps : {true, false}) {
    for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
      const auto row = testing::white_box_case("WhiteBox", true);
      auto network = make(simulated(errors, taps), three().fusion(fusion));
      correct(*network, row);
      const auto pass = network->propagate(x);
      std::vector<at::Tensor> readings;
      for (const auto& intensity : network->readings_of(pass).behind) {
        if (intensity.defined()) {
          readings.push_back(intensity.clone());
        }
      }
      ASSERT_EQ(readings.size(), taps ? meshes : 1U);
      const auto record = std::make_shared<Recorded>(network->options.mesh().layout(), readings);
      auto twin = make(record, three().fusion(fusion));
      twin->copy_phases({network->meshes()[0].get(), network->meshes()[1].get(), network->meshes()[2].get()});
      twin->set_corrections(network->corrections());
      const auto twin_pass = twin->propagate(x);
      EXPECT_EQ(record->read_calls, 1);
      EXPECT_TRUE(twin->pullback(twin_pass, w).equal(network->pullback(pass, w)));
      const auto found = take_gradients(*network);
      for (const auto& [name, gradient] : take_gradients(*twin)) {
        ASSERT_EQ(gradient.defined(), found.at(name).defined()) << name;
        EXPECT_TRUE(!gradient.defined() || gradient.equal(found.at(name))) << name;
      }
      EXPECT_EQ(record->read_calls, 1);
    }
  }
}

// The corrected model alone: what corrections learn from.
TEST_F(PhysicalNetworkModelTest, SignalsGoThroughTheModelAlone) {
  for (const auto& row : {testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
                          testing::white_box_case("WhiteBox", true)}) {
    SCOPED_TRACE(row.name);
    auto network = make(simulated(errors, true), three());
    correct(*network, row);
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
    for (const auto learns : {Learns::correction, Learns::mesh, Learns::nothing}) {
      network->pullback_model(states, signals, learns);
      for (const auto& [name, gradient] : take_gradients(*network)) {
        const auto learner = name.starts_with("correction.") ? Learns::correction : Learns::mesh;
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

// A pass is measured once; its model is run again after corrections have learnt.
TEST_F(PhysicalNetworkModelTest, TheModelIsRunAgainWithoutMeasuring) {
  const auto row = testing::linear_case();
  auto network = make(simulated(errors, true), three());
  correct(*network, row);
  const auto measured = network->measure(x);
  EXPECT_EQ(network->system()->measurements(), batch);
  EXPECT_EQ(network->system()->commands(), 1);
  expect_close(measured.output, (network->readings_of(measured).output() + 1e-8).sqrt(), 1e-14);
  const auto before = network->with_model(measured);
  for (const auto& correction : network->corrections()) {
    testing::perturb(*correction);
  }
  const auto after = network->with_model(measured);
  EXPECT_TRUE(after.output.equal(before.output));
  EXPECT_GT(testing::relative_distance(network->pullback(after, w), network->pullback(before, w)), 1e-3);
  const auto directly = network->propagate(x);
  EXPECT_TRUE(directly.output.equal(after.output));  // no noise
  EXPECT_TRUE(network->pullback(directly, w).equal(network->pullback(after, w)));
}

TEST_F(PhysicalNetworkModelTest, ClonesShareCorrections) {
  auto network = make(simulated(errors, true), three().fusion(Fusion::in_place));
  correct(*network, testing::linear_case());
  network->strength = 0.25;
  const auto copy = std::dynamic_pointer_cast<PhysicalNetworkImpl>(network->clone());
  EXPECT_EQ(copy->corrections(), network->corrections());
  EXPECT_EQ(copy->strength, 0.25);
  EXPECT_EQ(copy->options.fusion(), Fusion::in_place);
  EXPECT_TRUE(copy->pullback(copy->propagate(x), w).equal(network->pullback(network->propagate(x), w)));
  for (size_t n = 0; n < meshes; ++n) {
    EXPECT_TRUE(copy->meshes()[n]->theta.equal(network->meshes()[n]->theta));
    EXPECT_FALSE(copy->meshes()[n]->theta.is_same(network->meshes()[n]->theta));
  }
}

TEST_F(PhysicalNetworkModelTest, NamesCountAndPrint) {
  auto network = make(simulated(errors, true), three());
  correct(*network, testing::linear_case());
  const auto named = network->named_parameters();
  EXPECT_EQ(named.size(), 9U);  // corrections are not the network's
  for (size_t n = 0; n < meshes; ++n) {
    EXPECT_TRUE(named[c10::str(n, ".theta")].is_same(network->meshes()[n]->theta));
    EXPECT_TRUE(named[c10::str(n, ".phi")].is_same(network->meshes()[n]->phi));
    EXPECT_TRUE(named[c10::str(n, ".gamma")].is_same(network->meshes()[n]->gamma));
  }
  EXPECT_EQ(network->mzi_count(), 45);
  std::ostringstream stream;
  stream << network;
  EXPECT_NE(stream.str().find("meshes=3, ports=6"), std::string::npos) << stream.str();
}

TEST_F(PhysicalNetworkModelTest, WrongCorrectionsAndOptionsAreRejected) {
  auto network = make(simulated(errors, true), three());
  const auto linear = [] { return std::make_shared<LinearCorrection>(ports); };
  const std::vector<std::shared_ptr<Correction>> good = {linear(), linear(), linear()};
  network->set_corrections(good);
  const std::vector<std::vector<std::shared_ptr<Correction>>> wrong = {
      {}, {linear()}, {linear(), linear(), linear(), linear()}, {linear(), nullptr, linear()}};
  for (const auto& bad : wrong) {
    expect_complaint({"PhysicalNetwork", "corrections"}, [&] { network->set_corrections(bad); });
    EXPECT_EQ(network->corrections(), good);
  }
  for (const auto& correction : good) {
    correction->to(torch::kFloat64);
  }
  for (const double bad : {-0.1, 1.5, std::nan("")}) {
    network->strength = bad;
    expect_complaint({"LinearCorrection", "strength"}, [&] { network->propagate(x); });
  }
  network->strength = 1;
  const auto pass = network->propagate(x);
  expect_complaint({"PhysicalNetwork", "tpfp_update", "one mesh"},
                   [&] { network->tpfp_update(pass, w, true); });
  expect_complaint({"PhysicalNetwork", "adjoint", "one mesh"}, [&] { network->adjoint(x); });
  const auto states = network->model(x, nullptr);
  expect_complaint({"PhysicalNetwork", "signals"},
                   [&] { network->pullback_model(states, {torch::Tensor()}, Learns::mesh); });
  expect_complaint({"PhysicalNetwork", "states"},
                   [&] { network->pullback_model({}, std::vector<torch::Tensor>(meshes), Learns::mesh); });
  expect_complaint({"PhysicalNetwork", "system"},
                   [] { PhysicalNetwork(simulated(errors, true), three().meshes(2)); });
  expect_complaint({"PhysicalNetwork", "activation"}, [] {
    PhysicalNetwork(simulated(errors, true), three().activation(std::make_shared<MziMeshImpl>(ports)));
  });
  expect_complaint({"PhysicalNetwork", "mesh"},
                   [] { PhysicalNetwork(simulated(errors, true), three(MziMeshOptions(ports).meshes(3))); });
  MziMesh mesh(ports);
  expect_complaint({"PhysicalNetwork", "meshes"}, [&] { network->copy_phases({&*mesh}); });
  for (const auto& [name, gradient] : take_gradients(*network)) {
    EXPECT_FALSE(gradient.defined()) << name;
  }
}

// Without corrections there is nothing that a similarity could teach.
TEST_F(PhysicalNetworkModelTest, SignalsNeedCorrections) {
  auto network = make(simulated(errors, true), three());
  const auto states = network->model(x, nullptr);
  expect_complaint({"PhysicalNetwork", "corrections"}, [&] {
    network->pullback_model(states, {{}, {}, torch::ones_like(x)}, Learns::correction);
  });
}

}  // namespace
}  // namespace optotorch
