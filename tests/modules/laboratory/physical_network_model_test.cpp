// Three meshes behind one system learn from intensities alone, and are one layer with its corrections.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <support/differences.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>
#include <support/stages.h>

#include <cmath>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace optotorch::testing::laboratories {
namespace {

using testing::corrected;
using testing::expect_close;
using testing::learners;
using testing::take_gradients;
using Learns = Correction::Learns;

/// Nothing but intensities that were measured once.
struct Recorded : PhysicalSystem {
  Recorded(const MeshLayout& layout, std::vector<at::Tensor> readings_)
      : PhysicalSystem(std::vector<MeshLayout>(meshes, layout), readings_.size() == meshes),
        readings(std::move(readings_)) {}
  void command(const std::vector<Values>&) override {}
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

  torch::Tensor x, w;
};

// With monitors that must not be used, the update is that of a system without monitors.
TEST_F(PhysicalNetworkModelTest, InternalStatesAreUsedOnlyIfWanted) {
  const auto update = [&](bool monitors, bool internal_states) {
    torch::manual_seed(3);
    auto network = network_of(simulated(monitors), three().internal_states(internal_states));
    network->pullback(network->propagate(x), w);
    return take_gradients(learners(*network));
  };
  const auto without = update(false, true), unused = update(true, false), used = update(true, true);
  for (const auto& [name, gradient] : without) {
    EXPECT_TRUE(gradient.equal(unused.at(name))) << name;
    EXPECT_GT(testing::relative_distance(gradient, used.at(name)), 1e-3) << name;
  }
}

// The errors of the system reach an update through intensities and in no other way.
TEST_F(PhysicalNetworkModelTest, IntensitiesAreAllThatAnUpdateKnows) {
  for (const bool monitors : {true, false}) {
    for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
      const auto row = testing::white_box_case("WhiteBox", true);
      auto network = corrected(network_of(simulated(monitors), three().fusion(fusion)), row);
      const auto pass = network->propagate(x);
      std::vector<at::Tensor> readings;
      for (const auto& intensity : network->readings_of(pass).behind) {
        if (intensity.defined()) {
          readings.push_back(intensity.clone());
        }
      }
      ASSERT_EQ(readings.size(), monitors ? meshes : 1U);
      const auto record = std::make_shared<Recorded>(network->options.mesh().layout(), readings);
      auto twin = network_of(record, three().fusion(fusion));
      twin->copy_commands(
          {meshes_of(*network)[0].get(), meshes_of(*network)[1].get(), meshes_of(*network)[2].get()});
      twin->set_corrections(network->corrections());
      const auto twin_pass = twin->propagate(x);
      EXPECT_EQ(record->read_calls, 1);
      EXPECT_TRUE(twin->pullback(twin_pass, w).equal(network->pullback(pass, w)));
      const auto found = take_gradients(learners(*network));
      for (const auto& [name, gradient] : take_gradients(learners(*twin))) {
        ASSERT_EQ(gradient.defined(), found.at(name).defined()) << name;
        EXPECT_TRUE(!gradient.defined() || gradient.equal(found.at(name))) << name;
      }
      EXPECT_EQ(record->read_calls, 1);
    }
  }
}

// A pass is measured once; its model is run again after corrections have learnt.
TEST_F(PhysicalNetworkModelTest, TheModelIsRunAgainWithoutMeasuring) {
  const auto row = testing::linear_case();
  auto network = corrected(network_of(simulated(), three()), row);
  const auto measured = network->measure(x);
  EXPECT_EQ(network->system()->measurements(), batch);
  EXPECT_EQ(network->system()->commands(), 1);
  expect_close(measured.output, (network->readings_of(measured).output() + 1e-8).sqrt(), 1e-14);
  const auto before = network->with_model(measured);
  const auto dL_dx = network->pullback(before, w);
  for (const auto& correction : network->corrections()) {
    testing::perturb(*correction);
  }
  const auto after = network->with_model(measured);
  EXPECT_TRUE(after.output.equal(before.output));
  EXPECT_GT(testing::relative_distance(network->pullback(after, w), dL_dx), 1e-3);
  EXPECT_THROW(network->pullback(before, w), c10::ValueError) << "of corrections that are no more";
  const auto directly = network->propagate(x);
  EXPECT_TRUE(directly.output.equal(after.output));  // no noise
  EXPECT_TRUE(network->pullback(directly, w).equal(network->pullback(after, w)));
}

TEST_F(PhysicalNetworkModelTest, ClonesShareCorrections) {
  auto network = corrected(network_of(simulated(), three().fusion(Fusion::in_place)), testing::linear_case());
  network->strength = 0.25;
  const auto copy = std::dynamic_pointer_cast<PhysicalNetworkImpl>(network->clone());
  EXPECT_EQ(copy->corrections(), network->corrections());
  EXPECT_EQ(copy->strength, 0.25);
  EXPECT_EQ(copy->options.fusion(), Fusion::in_place);
  EXPECT_TRUE(copy->pullback(copy->propagate(x), w).equal(network->pullback(network->propagate(x), w)));
  for (size_t n = 0; n < meshes; ++n) {
    EXPECT_TRUE(meshes_of(*copy)[n]->theta.equal(meshes_of(*network)[n]->theta));
    EXPECT_FALSE(meshes_of(*copy)[n]->theta.is_same(meshes_of(*network)[n]->theta));
  }
}

TEST_F(PhysicalNetworkModelTest, NamesCountAndPrint) {
  auto network = corrected(network_of(simulated(), three()), testing::linear_case());
  const auto named = network->named_parameters();
  EXPECT_EQ(named.size(), 9U);  // corrections are not the network's
  for (size_t n = 0; n < meshes; ++n) {
    EXPECT_TRUE(named[c10::str(n, ".theta")].is_same(meshes_of(*network)[n]->theta));
    EXPECT_TRUE(named[c10::str(n, ".phi")].is_same(meshes_of(*network)[n]->phi));
    EXPECT_TRUE(named[c10::str(n, ".gamma")].is_same(meshes_of(*network)[n]->gamma));
  }
  EXPECT_EQ(network->footprint().at(parts::mzis), 45);
  std::ostringstream stream;
  stream << network;
  EXPECT_NE(stream.str().find("stages=[optotorch::MziMesh(ports=6"), std::string::npos) << stream.str();
}

TEST_F(PhysicalNetworkModelTest, WrongCorrectionsAndOptionsAreRejected) {
  auto network = network_of(simulated(), three());
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
  expect_complaint({"PhysicalNetwork", "tpfp_update", "one stage"},
                   [&] { network->tpfp_update(pass, w, true); });
  expect_complaint({"PhysicalNetwork", "adjoint", "one stage"}, [&] { network->adjoint(x); });
  const auto states = network->model(x, nullptr);
  expect_complaint({"PhysicalNetwork", "signals"},
                   [&] { network->pullback_model(states, {torch::Tensor()}, Learns::stage); });
  expect_complaint({"PhysicalNetwork", "states"},
                   [&] { network->pullback_model({}, std::vector<torch::Tensor>(meshes), Learns::stage); });
  expect_complaint({"PhysicalNetwork", "stages"}, [] { PhysicalNetwork(simulated(), three().meshes(2)); });
  expect_complaint({"PhysicalNetwork", "activation"}, [] {
    PhysicalNetwork(simulated(), three().activation(std::make_shared<MziMeshImpl>(ports)));
  });
  expect_complaint({"PhysicalNetwork", "mesh"},
                   [] { PhysicalNetwork(simulated(), three(MziMeshOptions(ports).meshes(3))); });
  MziMesh mesh(ports);
  expect_complaint({"PhysicalNetwork", "stages"}, [&] { network->copy_commands({&*mesh}); });
  for (const auto& [name, gradient] : take_gradients(learners(*network))) {
    EXPECT_FALSE(gradient.defined()) << name;
  }
}

// Without corrections there is nothing that a similarity could teach.
TEST_F(PhysicalNetworkModelTest, SignalsNeedCorrections) {
  auto network = network_of(simulated(), three());
  const auto states = network->model(x, nullptr);
  expect_complaint({"PhysicalNetwork", "corrections"}, [&] {
    network->pullback_model(states, {{}, {}, torch::ones_like(x)}, Learns::correction);
  });
}

}  // namespace
}  // namespace optotorch::testing::laboratories
