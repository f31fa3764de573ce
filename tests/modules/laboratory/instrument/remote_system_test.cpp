// A physical system behind a socket reads what it reads where it is; what is lost is found again.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/instrument/instrument_server.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/saturable_absorber.h>
#include <support/instruments.h>
#include <support/mesh_cases.h>
#include <torch/optim/sgd.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace optotorch::testing::instruments {
namespace {

class RemoteSystemTest : public InstrumentFixture {
 protected:
  /// Readings of both, for the same phases and light.
  static void expect_the_same(PhysicalSystem& remote, PhysicalSystem& local) {
    ASSERT_EQ(remote.stages(), local.stages());
    ASSERT_EQ(remote.has_monitors(), local.has_monitors());
    for (const bool screen : {true, false}) {
      const auto phases = random_phases(local, screen);
      remote.set_phases(phases);
      local.set_phases(phases);
      for (const auto type : {at::kComplexFloat, at::kComplexDouble}) {
        for (const int64_t batch : {0, 1, 300}) {
          const auto x = light(batch, type);
          const auto far = remote.measure(x), near = local.measure(x);
          ASSERT_EQ(far.behind.size(), near.behind.size());
          for (size_t m = 0; m < near.behind.size(); ++m) {
            ASSERT_EQ(far.behind[m].defined(), near.behind[m].defined());
            if (near.behind[m].defined()) {
              EXPECT_EQ(far.behind[m].scalar_type(), near.behind[m].scalar_type());
              EXPECT_TRUE(far.behind[m].equal(near.behind[m])) << batch << " behind " << m;
            }
          }
        }
      }
    }
    EXPECT_EQ(remote.measurements(), local.measurements());
    EXPECT_EQ(remote.commands(), local.commands());
  }

  /// The same within rounding, of three meshes with monitors.
  static void expect_close(PhysicalSystem& remote, PhysicalSystem& local) {
    ASSERT_EQ(remote.stages(), local.stages());
    ASSERT_TRUE(remote.has_monitors());
    EXPECT_EQ(remote.between(), local.between());
    for (const bool screen : {true, false}) {
      const auto phases = random_phases(local, screen);
      remote.set_phases(phases);
      local.set_phases(phases);
      for (const auto type : {at::kComplexFloat, at::kComplexDouble}) {
        for (const int64_t batch : {0, 1, 7}) {
          const auto x = light(batch, type);
          const auto far = remote.measure(x), near = local.measure(x);
          for (size_t m = 0; m < 3 && batch > 0; ++m) {
            EXPECT_LT(distance(far.behind[m], near.behind[m]), type == at::kComplexFloat ? 1e-4 : 1e-12) << m;
          }
        }
      }
    }
  }
};

TEST_F(RemoteSystemTest, ReadsWhatTheSystemReadsWhereItIs) {
  for (const bool monitors : {false, true}) {
    for (const auto& place : {address, std::string("tcp:127.0.0.1:0")}) {
      SimulatedSystem lent(chips(3), optics(monitors)), local(chips(3), optics(monitors));
      const Served served(lent, place);
      const auto remote = RemoteSystem::connect(served.server.address());
      expect_the_same(*remote, local);
      EXPECT_EQ(lent.commands(), local.commands());
      EXPECT_EQ(lent.measurements(), local.measurements());
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder));
  }
}

TEST_F(RemoteSystemTest, EveryLayoutAndStridedLightArrive) {
  for (const auto& layout : all_layouts(ports)) {
    SimulatedSystem lent(chips(1, layout)), local(chips(1, layout));
    const Served served(lent, address);
    const auto remote = RemoteSystem::connect(address);
    ASSERT_EQ(remote->stages(), local.stages()) << name(layout);
    const auto phases = random_phases(local);
    remote->set_phases(phases);
    local.set_phases(phases);
    for (const auto& x : {light(4), light(4).conj(), light(ports).t()}) {
      EXPECT_TRUE(remote->measure(x).output().equal(local.measure(x).output())) << name(layout);
    }
  }
}

TEST_F(RemoteSystemTest, InAnotherProcessTheSame) {
  const Process process([&] { serve_here(address, 3, true); });
  SimulatedSystem local(chips(3), optics(true));
  expect_the_same(*connect_when_ready(address), local);
}

TEST_F(RemoteSystemTest, ALongBatchIsMeasuredInParts) {
  SimulatedSystem lent(chips(2), optics(true)), local(chips(2), optics(true));
  const Served served(lent, address, InstrumentServerOptions().samples(3));
  const auto remote = RemoteSystem::connect(address);
  const auto phases = random_phases(local);
  remote->set_phases(phases);
  local.set_phases(phases);
  const auto x = light(10);
  const auto far = remote->measure(x), near = local.measure(x);
  for (size_t m = 0; m < 2; ++m) {
    EXPECT_LT(distance(far.behind[m], near.behind[m]), 1e-12);  // noise too: it goes by the sample
  }
  EXPECT_EQ(remote->measurements(), 10);
  EXPECT_EQ(lent.measurements(), 10);
}

TEST_F(RemoteSystemTest, ANetworkTakesTheSameSteps) {
  const auto trained = [](const std::shared_ptr<PhysicalSystem>& system) {
    torch::manual_seed(7);
    PhysicalNetwork network(system, PhysicalNetworkOptions(ports).meshes(2).activation(
                                        std::make_shared<ElectroOpticActivationImpl>()));
    torch::optim::SGD optimizer(network->parameters(), torch::optim::SGDOptions(0.1));
    for (int step = 0; step < 3; ++step) {
      optimizer.zero_grad();
      const auto pass = network->propagate(torch::randn({8, ports}, torch::kComplexFloat));
      network->pullback(pass, pass.output - 1);
      optimizer.step();
    }
    return network->parameters();
  };
  SimulatedSystem lent(chips(2), optics(true));
  const Served served(lent, address);
  const auto near = trained(std::make_shared<SimulatedSystem>(chips(2), optics(true)));
  const auto far = trained(RemoteSystem::connect(address));
  ASSERT_EQ(near.size(), 6U);
  for (size_t i = 0; i < near.size(); ++i) {
    EXPECT_TRUE(near[i].equal(far[i])) << i;
  }
  EXPECT_EQ(lent.commands(), 3);
}

TEST_F(RemoteSystemTest, OneClientAfterAnother) {
  SimulatedSystem lent(chips(1));
  const Served served(lent, address);
  auto first = RemoteSystem::connect(address);
  first->set_phases(random_phases(*first));
  expect_complaint({"RemoteSystem", address, "timeout"},
                   [&] { RemoteSystem::connect(address, RemoteSystemOptions().timeout_s(0.2)); });
  first->measure(light(2));
  first.reset();
  const auto second = RemoteSystem::connect(address);
  expect_complaint({"set_commands"}, [&] { second->measure(light(2)); });
  second->set_phases(random_phases(*second));
  second->measure(light(2));
}

TEST_F(RemoteSystemTest, AddressesAndOptionsAreChecked) {
  for (const std::string bad : {"", "unix:", "tcp:", "tcp:localhost", "tcp::1", "tcp:localhost:", "http://x",
                                "tcp:localhost:99999", "tcp:localhost:1x", "tcp:no such host.:1"}) {
    expect_complaint({"RemoteSystem", "address"}, [&] { RemoteSystem::connect(bad); });
  }
  const auto long_path = "unix:/" + std::string(200, 'x');
  expect_complaint({"RemoteSystem", "address", "bytes"}, [&] { RemoteSystem::connect(long_path); });
  for (const double bad : {0.0, -1.0, 1e7, std::nan("")}) {
    expect_complaint({"RemoteSystem", "timeout_s"},
                     [&] { RemoteSystem::connect(address, RemoteSystemOptions().timeout_s(bad)); });
  }
  expect_complaint({"RemoteSystem", address, "listens"}, [&] { RemoteSystem::connect(address); });
  expect_complaint({"RemoteSystem", "listens"}, [&] { RemoteSystem::connect("tcp:127.0.0.1:1"); });
  SimulatedSystem system(chips(1));
  const InstrumentServer taken(system, address);
  expect_complaint({"InstrumentServer", address}, [&] { InstrumentServer(system, address); });
  EXPECT_TRUE(std::filesystem::exists(folder / "instrument"));
  expect_complaint({"InstrumentServer", "/nowhere"}, [&] { InstrumentServer(system, "unix:/nowhere/x"); });
  expect_complaint({"InstrumentServer", "samples"}, [&] {
    InstrumentServer(system, "tcp:127.0.0.1:0", InstrumentServerOptions().samples(-1));
  });
}

// What is lost is found again, with its phases; another instrument at the same place is not taken for it.
TEST_F(RemoteSystemTest, AfterALostConnectionPhasesAreSentAgain) {
  std::shared_ptr<RemoteSystem> remote;
  SimulatedSystem local(chips(2), optics(false));
  const auto phases = random_phases(local);
  const auto x = light(3);
  local.set_phases(phases);
  {
    Process process([&] { serve_here(address, 2, false); });
    remote = connect_when_ready(address);
    remote->set_phases(phases);
    EXPECT_TRUE(remote->measure(x).output().equal(local.measure(x).output()));
    process.end(SIGKILL);
  }
  expect_complaint({"RemoteSystem", address}, [&] { remote->measure(x); });
  expect_complaint({"set_commands"}, [&] { remote->measure(x); });
  expect_complaint({"RemoteSystem", address, "listens"}, [&] { remote->set_phases(phases); });
  {
    SimulatedSystem lent(chips(2), optics(false));
    const Served served(lent, address);
    remote->set_phases(phases);
    EXPECT_EQ(lent.commands(), 1);
    SimulatedSystem again(chips(2), optics(false));
    again.set_phases(phases);
    EXPECT_TRUE(remote->measure(x).output().equal(again.measure(x).output()));
    EXPECT_EQ(remote->commands(), 2);
    EXPECT_EQ(remote->measurements(), 6);
  }
  SimulatedSystem other(chips(3), optics(false)), tapped(chips(2), optics(true));
  expect_complaint({"RemoteSystem", address}, [&] { remote->measure(x); });
  for (auto* wrong : {&other, &tapped}) {
    const Served served(*wrong, address);
    expect_complaint({"RemoteSystem", "stages"}, [&] { remote->set_phases(phases); });
    EXPECT_EQ(wrong->commands(), 0);
  }
}

// A model of other optics than stand there learns nothing that is true of them.
TEST_F(RemoteSystemTest, WhatStandsBetweenTheMeshesIsCompared) {
  const auto electro_optic = [](double gain) {
    return std::make_shared<ElectroOpticActivationImpl>(ElectroOpticActivationOptions().gain(gain));
  };
  SimulatedSystem lent(chips(2), SimulatedSystemOptions().activation(electro_optic(0.5)));
  const Served served(lent, address);
  const auto remote = RemoteSystem::connect(address);
  EXPECT_EQ(remote->between(), lent.between());
  ASSERT_EQ(remote->between().size(), 1U);
  EXPECT_NE(remote->between().front().find("ElectroOpticActivation"), std::string::npos);
  const auto options = PhysicalNetworkOptions(ports).meshes(2);
  PhysicalNetwork(remote, PhysicalNetworkOptions(options).activation(electro_optic(0.5)));
  PhysicalNetwork(remote, PhysicalNetworkOptions(options).activation(electro_optic(0.5 * (1 + 1e-7))));
  expect_complaint({"PhysicalNetwork", "activation", "\"gain\":0.5,", "\"gain\":0.6,"}, [&] {
    PhysicalNetwork(remote, PhysicalNetworkOptions(options).activation(electro_optic(0.6)));
  });
  expect_complaint({"PhysicalNetwork", "activation", "\"gain\":0.5,", "got nothing"},
                   [&] { PhysicalNetwork(remote, options); });
  expect_complaint({"PhysicalNetwork", "activation", "SaturableAbsorber", "\"depth\":2"}, [&] {
    PhysicalNetwork(remote,
                    PhysicalNetworkOptions(options).activation(std::make_shared<SaturableAbsorberImpl>()));
  });
}

// examples/instrument.py was written from docs/instrument.md, and answers the C++ side.
TEST_F(RemoteSystemTest, ThePythonInstrumentIsAPerfectChip) {
  if (std::system("python3 -c 'import numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "no python3 with numpy";
  }
  for (const auto idle : {IdlePort::wire, IdlePort::bar}) {
    const auto words = to_string(idle);
    const Process process([&] {
      ::execlp("python3", "python3", OPTOTORCH_SOURCE_DIR "/examples/instrument.py", "--listen",
               address.c_str(), "--ports", "6", "--meshes", "3", "--idle-ports", words.c_str(), nullptr);
    });
    const auto remote = connect_when_ready(address);
    auto layout = six_ports();
    layout.idle_port = idle;
    std::vector<Chip> perfect(3, Chip(layout, Imperfections(), 0));
    SimulatedSystem local(perfect, optics(true));
    expect_close(*remote, local);
    std::filesystem::remove(folder / "instrument");
  }
}

}  // namespace
}  // namespace optotorch::testing::instruments
