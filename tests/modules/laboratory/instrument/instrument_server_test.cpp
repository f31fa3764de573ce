// The server of an instrument: where it listens, what it tells of its system, and that no client harms it.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>
#include <optotorch/modules/laboratory/instrument/instrument_server.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <support/instrument_bytes.h>
#include <support/instruments.h>
#include <support/mesh_cases.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace optotorch::testing::instruments {
namespace {

class InstrumentServerTest : public InstrumentFixture {};

/// A system that complains when it is told to.
struct Moody : PhysicalSystem {
  Moody() : PhysicalSystem(std::vector<MeshLayout>{six_ports()}) {}
  void command(const std::vector<Values>&) override { complain(); }
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

TEST_F(InstrumentServerTest, AFileThatIsNoSocketStaysAndADeadSocketIsReplaced) {
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

TEST_F(InstrumentServerTest, ErrorsOfTheSystemAreToldAndTheConnectionGoesOn) {
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
  expect_complaint({"set_commands"}, [&] { remote->measure(light(2)); });
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
TEST_F(InstrumentServerTest, AReadingThatFailsMakesPhasesUnknown) {
  Moody moody;
  const auto phases = random_phases(moody);
  moody.set_phases(phases);
  moody.complaint = "no light";
  EXPECT_THROW(moody.measure(light(1)), std::runtime_error);
  moody.complaint.clear();
  expect_complaint({"set_commands"}, [&] { moody.measure(light(1)); });
  moody.set_phases(phases);
  EXPECT_EQ(moody.commands(), 2);
}

TEST_F(InstrumentServerTest, TheServerOutlivesItsClients) {
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

TEST_F(InstrumentServerTest, ASilentClientMakesWayIfAnotherWaits) {
  SimulatedSystem lent(chips(1));
  expect_complaint({"InstrumentServer", "idle_s"},
                   [&] { InstrumentServer(lent, address, InstrumentServerOptions().idle_s(0)); });
  std::atomic<int> dropped = 0;
  const Served served(lent, address, InstrumentServerOptions().idle_s(0.2).log([&](const std::string& line) {
    dropped += line.find("silence while another client waits") != std::string::npos ? 1 : 0;
  }));
  const auto first = RemoteSystem::connect(address);
  const auto phases = random_phases(*first);
  first->set_phases(phases);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  first->measure(light(1));  // nobody waited
  const auto second = RemoteSystem::connect(address);
  EXPECT_EQ(dropped, 1);
  second->set_phases(phases);
  second->measure(light(1));
  expect_complaint({"RemoteSystem", address}, [&] { first->measure(light(1)); });
  first->set_phases(phases);  // behind the second
  first->measure(light(1));
}

}  // namespace
}  // namespace optotorch::testing::instruments
