// A physical system behind a socket: what it reads, and every way in which it can go wrong.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/electro_optic_activation.h>
#include <optotorch/modules/instrument_server.h>
#include <optotorch/modules/physical_network.h>
#include <optotorch/modules/remote_system.h>
#include <optotorch/modules/simulated_system.h>
#include <support/mesh_cases.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <torch/optim/sgd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <thread>

namespace optotorch {
namespace {

constexpr int64_t ports = 6;
const MeshLayout six_ports = universal(MeshGrid::rectangular, ports);
const Imperfections errors =
    Imperfections().splitter_error(0.1).phase_error(0.2).relative_noise(0.05).additive_noise(0.01);

std::vector<Chip> chips(int64_t meshes, const MeshLayout& layout = six_ports) {
  std::vector<Chip> result;
  for (int64_t m = 0; m < meshes; ++m) {
    result.emplace_back(layout, errors, m);
  }
  return result;
}

SimulatedSystemOptions optics(bool taps) {
  return SimulatedSystemOptions().taps(taps).activation(std::make_shared<ElectroOpticActivationImpl>());
}

std::vector<MeshPhases> random_phases(const PhysicalSystem& system, bool screen = true) {
  std::vector<MeshPhases> phases;
  for (const auto& layout : system.layouts()) {
    phases.push_back({at::rand({layout.mzis()}, at::kDouble) * pi, at::rand({layout.mzis()}, at::kDouble) * 6,
                      screen ? at::rand({layout.ports}, at::kDouble) * 6 : at::Tensor()});
  }
  return phases;
}

/// A thread that ends with the scope.
class Background {
 public:
  explicit Background(std::function<void(const Stopped&)> work)
      : thread_([this, work] { work([this] { return stop_.load(); }); }) {}
  ~Background() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// Serves in the same process.
struct Served {
  explicit Served(PhysicalSystem& system, const std::string& address,
                  const InstrumentServerOptions& options = {})
      : server(system, address, options), thread([this](const Stopped& stopped) { server.serve(stopped); }) {}
  InstrumentServer server;
  Background thread;
};

class RemoteSystemTest : public OneThreadTest {
 protected:
  RemoteSystemTest() {
    at::manual_seed(3);
    folder = std::filesystem::temp_directory_path() / c10::str("optotorch-remote-", ::getpid());
    std::filesystem::create_directories(folder);
    address = "unix:" + (folder / "instrument").string();
  }
  ~RemoteSystemTest() override { std::filesystem::remove_all(folder); }

  static at::Tensor light(int64_t batch, at::ScalarType type = at::kComplexDouble) {
    return at::randn({batch, ports}, type);
  }

  /// Readings of both, for the same phases and light.
  static void expect_the_same(PhysicalSystem& remote, PhysicalSystem& local) {
    ASSERT_EQ(remote.layouts(), local.layouts());
    ASSERT_EQ(remote.has_taps(), local.has_taps());
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

  std::filesystem::path folder;
  std::string address;
};

TEST_F(RemoteSystemTest, ReadsWhatTheSystemReadsWhereItIs) {
  for (const bool taps : {false, true}) {
    for (const auto& place : {address, std::string("tcp:127.0.0.1:0")}) {
      SimulatedSystem lent(chips(3), optics(taps)), local(chips(3), optics(taps));
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
    ASSERT_EQ(remote->layouts(), local.layouts()) << name(layout);
    const auto phases = random_phases(local);
    remote->set_phases(phases);
    local.set_phases(phases);
    for (const auto& x : {light(4), light(4).conj(), light(ports).t()}) {
      EXPECT_TRUE(remote->measure(x).output().equal(local.measure(x).output())) << name(layout);
    }
  }
}

/// Another process, ended with the scope.
class Process {
 public:
  explicit Process(const std::function<void()>& work) : child_(::fork()) {
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        work();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(0);
    }
  }
  ~Process() { end(SIGKILL); }
  void end(int signal) {
    if (child_ > 0) {
      ::kill(child_, signal);
      ::waitpid(std::exchange(child_, -1), nullptr, 0);
    }
  }

 private:
  pid_t child_;
};

std::shared_ptr<RemoteSystem> connect_when_ready(const std::string& address) {
  for (int attempt = 0;; ++attempt) {
    try {
      return RemoteSystem::connect(address);
    } catch (const c10::ValueError&) {
      if (attempt == 200) {
        throw;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

void serve_here(const std::string& address, int64_t meshes, bool taps) {
  SimulatedSystem lent(chips(meshes), optics(taps));
  InstrumentServer(lent, address).serve([] { return false; });
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
  expect_complaint({"set_phases"}, [&] { second->measure(light(2)); });
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

TEST_F(RemoteSystemTest, AFileThatIsNoSocketStaysAndADeadSocketIsReplaced) {
  SimulatedSystem system(chips(1));
  {
    Process process([&] { serve_here(address, 1, false); });
    connect_when_ready(address);
    process.end(SIGKILL);
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "instrument"));
  { const InstrumentServer replaced(system, address); }
  EXPECT_FALSE(std::filesystem::exists(folder / "instrument"));
  const auto file = folder / "instrument";
  std::filesystem::create_directory(file);
  expect_complaint({"InstrumentServer", address}, [&] { InstrumentServer(system, address); });
  EXPECT_TRUE(std::filesystem::is_directory(file));
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
  expect_complaint({"set_phases"}, [&] { remote->measure(x); });
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
    expect_complaint({"RemoteSystem", "meshes"}, [&] { remote->set_phases(phases); });
    EXPECT_EQ(wrong->commands(), 0);
  }
}

/// A system that complains when it is told to.
struct Moody : PhysicalSystem {
  Moody() : PhysicalSystem({six_ports}) {}
  void command(const std::vector<MeshPhases>&) override { complain(); }
  std::vector<at::Tensor> read(const at::Tensor& x) override {
    complain();
    return {answer.defined() ? answer : at::ones(x.sizes(), at::kDouble)};
  }
  void complain() const {
    if (!complaint.empty()) {
      throw std::runtime_error(complaint);
    }
  }

  std::string complaint;
  at::Tensor answer;
};

TEST_F(RemoteSystemTest, ErrorsOfTheSystemAreToldAndTheConnectionGoesOn) {
  Moody moody;
  std::atomic<int> clients = 0;
  const Served served(moody, address, InstrumentServerOptions().log([&](const std::string& line) {
    clients += line == "connected" ? 1 : 0;
  }));
  const auto remote = RemoteSystem::connect(address);
  const auto phases = random_phases(*remote);
  moody.complaint = "the laser\x1b[2J is off";
  expect_complaint({"RemoteSystem", address, "the laser [2J is off"}, [&] { remote->set_phases(phases); });
  moody.complaint.clear();
  remote->set_phases(phases);
  remote->measure(light(2));
  const std::string endless(100000, 'a');  // it is told in part
  moody.complaint = endless;
  expect_complaint({"RemoteSystem", endless.substr(0, 100)}, [&] { remote->measure(light(2)); });
  moody.complaint.clear();
  expect_complaint({"set_phases"}, [&] { remote->measure(light(2)); });
  remote->set_phases(phases);
  EXPECT_EQ(remote->commands(), 2);
  for (const auto& bad : {at::ones({2, 5}), at::full({2, ports}, std::nan(""))}) {
    moody.answer = bad;
    expect_complaint({"RemoteSystem", "reading"}, [&] { remote->measure(light(2)); });
    moody.answer = at::Tensor();
    remote->set_phases(phases);
    remote->measure(light(2));
  }
  EXPECT_EQ(clients, 1);
}

// What PhysicalSystem promises of every implementation.
TEST_F(RemoteSystemTest, AReadingThatFailsMakesPhasesUnknown) {
  Moody moody;
  const auto phases = random_phases(moody);
  moody.set_phases(phases);
  moody.complaint = "no light";
  EXPECT_THROW(moody.measure(light(1)), std::runtime_error);
  moody.complaint.clear();
  expect_complaint({"set_phases"}, [&] { moody.measure(light(1)); });
  moody.set_phases(phases);
  EXPECT_EQ(moody.commands(), 2);
}

template <typename T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

std::string message(uint32_t kind, const std::string& payload, int64_t length = -1) {
  return raw({kind}) + raw<uint64_t>({length < 0 ? payload.size() : static_cast<uint64_t>(length)}) + payload;
}

/// One mesh of six ports and six columns, without taps.
std::string greeting(uint32_t version = 1) {
  return "optoinst" + raw({version}) +
         message(1, raw<uint32_t>({100, 0, 1, 6, 6}) + raw<uint8_t>({0, 1, 0, 0}));
}

const std::string done = message(4, "");

std::string readings(uint32_t size, uint32_t meshes, uint32_t samples, uint32_t width, size_t values,
                     double value = 1) {
  std::string data;
  for (size_t i = 0; i < values; ++i) {
    data += size == 4 ? raw({static_cast<float>(value)}) : raw({value});
  }
  return message(5, raw({size, meshes, samples, width}) + data);
}

/// An instrument that says `script`, whatever it is asked, and then nothing more: by hanging up or, if it
/// `stays`, by silence.
struct Fake {
  Fake(const std::string& address, std::string script, bool stays = false)
      : listener("Fake", address), thread([this, script, stays](const Stopped& stopped) {
          while (auto client = listener.accept(stopped)) {
            const int descriptor = client->descriptor();
            Connection connection(std::move(*client), "Fake", "client", stopped);
            try {
              connection.write(script, deadline_after(10));
              if (!stays) {
                ::shutdown(descriptor, SHUT_WR);
              }
              for (char byte = 0;;) {
                connection.read(&byte, 1, Deadline::max());
              }
            } catch (const c10::ValueError&) {
            }
          }
        }) {}
  Listener listener;
  Background thread;
};

TEST_F(RemoteSystemTest, WrongGreetingsAreRejected) {
  const auto rejects = [&](const std::string& script, const std::vector<std::string>& parts) {
    const Fake fake(address, script);
    expect_complaint(parts, [&] { RemoteSystem::connect(address, RemoteSystemOptions().timeout_s(5)); });
  };
  const auto with = [](const std::string& payload) {
    return "optoinst" + raw<uint32_t>({1}) + message(1, payload);
  };
  const auto mesh = raw<uint32_t>({6, 6}) + raw<uint8_t>({0, 1, 0, 0});
  rejects("", {"RemoteSystem", "end of the connection"});
  rejects(greeting().substr(0, 30), {"RemoteSystem", "end of the connection"});
  rejects("HTTP/1.1 400 Bad Request\r\n", {"RemoteSystem", "an instrument"});
  rejects(greeting(2), {"RemoteSystem", "version 1", "2"});
  rejects("optoinst" + raw<uint32_t>({1}) + done, {"RemoteSystem", "kind 4"});
  rejects("optoinst" + raw<uint32_t>({1}) + message(1, "", int64_t{1} << 60), {"RemoteSystem", "at most"});
  rejects(with(raw<uint32_t>({0, 0, 1}) + mesh), {"RemoteSystem", "samples"});
  rejects(with(raw<uint32_t>({9, 2, 1}) + mesh), {"RemoteSystem", "flag"});
  rejects(with(raw<uint32_t>({9, 0, 0})), {"RemoteSystem", "meshes"});
  rejects(with(raw<uint32_t>({9, 0, 4000000000}) + mesh), {"RemoteSystem", "meshes"});
  rejects(with(raw<uint32_t>({9, 0, 2}) + mesh), {"RemoteSystem", "another"});
  rejects(with(raw<uint32_t>({9, 0, 1}) + mesh + mesh), {"RemoteSystem", "nothing"});
  rejects(with(raw<uint32_t>({9, 0, 1, 1, 6, 0})), {"RemoteSystem", "ports"});
  rejects(with(raw<uint32_t>({9, 0, 1, 6, 0, 0})), {"RemoteSystem", "columns"});
  rejects(with(raw<uint32_t>({9, 0, 1, 6, 6, 2})), {"RemoteSystem", "convention"});
  rejects(with(raw<uint32_t>({9, 0, 2}) + mesh + raw<uint32_t>({8, 6, 0})), {"RemoteSystem", "ports"});
}

TEST_F(RemoteSystemTest, WrongAnswersAreRejectedAndTheNextCallConnectsAnew) {
  const auto x = light(2, at::kComplexFloat);
  const auto rejects = [&](const std::string& answer, const std::vector<std::string>& parts) {
    std::shared_ptr<RemoteSystem> remote;
    std::vector<MeshPhases> phases;
    {
      const Fake fake(address, greeting() + done + answer);
      remote = RemoteSystem::connect(address, RemoteSystemOptions().timeout_s(5));
      phases = random_phases(*remote);
      remote->set_phases(phases);
      expect_complaint(parts, [&] { remote->measure(x); });
      EXPECT_EQ(remote->measurements(), 0);
    }
    if (parts.front() == "RemoteSystem") {
      SimulatedSystem lent(chips(1));
      const Served served(lent, address, InstrumentServerOptions().samples(100));
      remote->set_phases(phases);
      remote->measure(x);
      EXPECT_EQ(lent.commands(), 1);
    }
  };
  const auto right = readings(4, 1, 2, 6, 12);
  rejects("", {"RemoteSystem", "end of the connection"});
  rejects(right.substr(0, 5), {"RemoteSystem", "end of the connection"});
  rejects(right.substr(0, right.size() - 1), {"RemoteSystem", "another 1 bytes", "end of the connection"});
  rejects(readings(4, 1, 2, 5, 10), {"RemoteSystem", "ports", "6", "5"});
  rejects(readings(4, 1, 1, 6, 6), {"RemoteSystem", "samples", "2", "1"});
  rejects(readings(4, 2, 1, 6, 12), {"RemoteSystem", "meshes"});
  rejects(readings(8, 1, 1, 6, 6), {"RemoteSystem", "bytes of a reading"});
  rejects(readings(4, 1, 2, 6, 11), {"RemoteSystem", "length"});
  rejects(readings(4, 1, 2, 6, 13), {"RemoteSystem", "at most 64 bytes", "68"});
  rejects(message(5, raw<uint32_t>({4, 1, 2, 6}), int64_t{1} << 62), {"RemoteSystem", "at most"});
  rejects(message(5, "", std::numeric_limits<int64_t>::min()), {"RemoteSystem", "another 16 bytes"});
  rejects(message(6, "", 1 << 20), {"RemoteSystem", "at most"});
  rejects(done, {"RemoteSystem", "kind 4"});
  rejects(message(77, ""), {"RemoteSystem", "kind 77"});
  rejects(readings(4, 1, 2, 6, 12, std::nan("")), {"PhysicalSystem", "reading", "NaN"});
}

TEST_F(RemoteSystemTest, ASilentInstrumentIsATimeout) {
  const auto right = readings(4, 1, 2, 6, 12);
  for (const auto& said : {greeting(), greeting() + done, greeting() + done + right.substr(0, 40)}) {
    const Fake fake(address, said, /*stays=*/true);
    const auto remote = RemoteSystem::connect(address, RemoteSystemOptions().timeout_s(0.3));
    const auto before = std::chrono::steady_clock::now();
    expect_complaint({"RemoteSystem", address, "timeout"}, [&] {
      remote->set_phases(random_phases(*remote));
      remote->measure(light(2, at::kComplexFloat));
    });
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  }
}

TEST_F(RemoteSystemTest, TheServerOutlivesItsClients) {
  SimulatedSystem lent(chips(1)), local(chips(1));
  const Served served(lent, address, InstrumentServerOptions().samples(100).timeout_s(0.3));
  const auto phases = random_phases(local);
  local.set_phases(phases);
  const auto x = light(2);
  const auto say = [&](const std::string& bytes, int64_t awaited) {
    Connection client(connect_socket("client", address, deadline_after(5)), "client", address);
    std::string heard(greeting().size(), ' ');
    client.read(heard.data(), heard.size(), deadline_after(5));
    EXPECT_EQ(heard, greeting());
    client.write(bytes, deadline_after(5));
    heard.assign(static_cast<size_t>(awaited), ' ');
    client.read(heard.data(), heard.size(), deadline_after(5));
    return heard;
  };
  const auto gone = [&](const std::string& bytes) {
    const auto end = complaint([&] { say(bytes, 1); });
    EXPECT_FALSE(end.empty());
    EXPECT_EQ(end.find("timeout"), std::string::npos) << end;
  };
  gone("GET / HTTP/1.1\r\nHost: instrument\r\n\r\n");
  gone(std::string(10000, '\xff'));
  gone(message(2, "", std::numeric_limits<int64_t>::max()));
  gone(message(3, "", 16 + 100 * 6 * 16 + 1));
  gone(message(5, ""));
  gone(message(2, "half a message", 100));  // and then nothing: the timeout
  say("", 0);
  say(message(3, "x", 50), 0);
  // Whole messages that are wrong are answered by a failure, kind 6, and the connection goes on.
  const auto failures = [&](const std::string& bytes) {
    EXPECT_EQ(say(bytes, 4), raw<uint32_t>({6})) << bytes.size();
  };
  failures(message(2, ""));
  failures(message(2, raw<uint32_t>({2}) + std::string(240, '\0')));          // the flag
  failures(message(2, raw<uint32_t>({1}) + std::string(240, '\0')));          // gamma is missing
  failures(message(2, raw<uint32_t>({0}) + std::string(248, '\0')));          // too long
  failures(message(2, raw<uint32_t>({0}) + std::string(240, '\xff')));        // NaN
  failures(message(3, raw<uint32_t>({8, 1, 1, 6}) + std::string(48, '\0')));  // before phases
  const auto set = message(2, raw<uint32_t>({0}) + std::string(240, '\0'));
  EXPECT_EQ(say(set, 12), done);
  // Phases of another connection, or of before a failure, do not count.
  const auto dark = message(3, raw<uint32_t>({8, 1, 0, 6}));
  failures(dark);
  Connection client(connect_socket("client", address, deadline_after(5)), "client", address);
  receive_greeting(client, deadline_after(5));
  client.write(set + dark + message(2, "") + dark, deadline_after(5));
  for (const auto kind :
       {MessageKind::done, MessageKind::readings, MessageKind::failure, MessageKind::failure}) {
    EXPECT_EQ(client.receive([](MessageKind) { return 1000; }, deadline_after(5)).kind, kind);
  }
  client = Connection(Socket(), "client", address);
  for (const auto& head :
       {raw<uint32_t>({8, 1, 1, 5}), raw<uint32_t>({8, 2, 1, 6}), raw<uint32_t>({4, 1, 1, 6}),
        raw<uint32_t>({8, 1, 2, 6}), raw<uint32_t>({16, 1, 1, 6})}) {
    EXPECT_EQ(say(set + message(3, head + std::string(48, '\0')), 16), done + raw<uint32_t>({6}));
  }
  EXPECT_EQ(say(set + message(3, raw<uint32_t>({8, 1, 1, 6}) + std::string(48, '\xff')), 16),
            done + raw<uint32_t>({6}));
  EXPECT_EQ(say(set + message(3, raw<uint32_t>({8, 1, 0, 6})), 40), done + readings(4, 1, 0, 6, 0));
  const auto remote = RemoteSystem::connect(address);
  remote->set_phases(phases);
  EXPECT_TRUE(remote->measure(x).output().equal(local.measure(x).output()));
}

// examples/instrument.py was written from docs/instrument.md, and answers the C++ side.
TEST_F(RemoteSystemTest, ThePythonInstrumentIsAPerfectChip) {
  if (std::system("python3 -c 'import numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "no python3 with numpy";
  }
  const Process process([&] {
    ::execlp("python3", "python3", OPTOTORCH_SOURCE_DIR "/examples/instrument.py", "--listen",
             address.c_str(), "--ports", "6", "--meshes", "3", nullptr);
  });
  const auto remote = connect_when_ready(address);
  std::vector<Chip> perfect(3, Chip(six_ports, Imperfections(), 0));
  SimulatedSystem local(perfect, optics(true));
  ASSERT_EQ(remote->layouts(), local.layouts());
  ASSERT_TRUE(remote->has_taps());
  for (const bool screen : {true, false}) {
    const auto phases = random_phases(local, screen);
    remote->set_phases(phases);
    local.set_phases(phases);
    for (const auto type : {at::kComplexFloat, at::kComplexDouble}) {
      for (const int64_t batch : {0, 1, 7}) {
        const auto x = light(batch, type);
        const auto far = remote->measure(x), near = local.measure(x);
        for (size_t m = 0; m < 3 && batch > 0; ++m) {
          EXPECT_LT(distance(far.behind[m], near.behind[m]), type == at::kComplexFloat ? 1e-4 : 1e-12) << m;
        }
      }
    }
  }
}

}  // namespace
}  // namespace optotorch
