// A laboratory loses things: what is measured again, connected again, and given up.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>
#include <optotorch/modules/laboratory/instrument/detail/socket.h>
#include <optotorch/modules/laboratory/instrument/detail/wire.h>
#include <optotorch/modules/laboratory/instrument/instrument_server.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <support/instrument_bytes.h>
#include <support/instruments.h>
#include <support/mesh_cases.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace optotorch::testing::instruments {
namespace {

class RemoteRetriesTest : public InstrumentFixture {
 protected:
  RemoteSystemOptions patient(int64_t retries, double reconnect_s = 0) {
    return RemoteSystemOptions()
        .retries(retries)
        .reconnect_s(reconnect_s)
        .log([this](const std::string& line) { lines.push_back(line); });
  }

  std::vector<std::string> lines;  ///< that were logged
};

/// Perfect chips that fail, or read NaN, so many times before each success.
struct Flaky : SimulatedSystem {
  Flaky() : SimulatedSystem(chips(2), optics(true)) {}
  void command(const std::vector<Values>& commands) override {
    fail(command_failures, "the driver is cold");
    SimulatedSystem::command(commands);
  }
  std::vector<at::Tensor> read(const at::Tensor& x) override {
    fail(read_failures, "the camera is busy");
    return SimulatedSystem::read(x);
  }
  static void fail(std::atomic<int>& failures, const char* why) {
    if (failures > 0) {
      --failures;
      throw std::runtime_error(why);
    }
  }

  std::atomic<int> command_failures = 0, read_failures = 0;
};

TEST_F(RemoteRetriesTest, WhatFailsIsAskedForAgainWithItsPhases) {
  Flaky flaky;
  SimulatedSystem local(chips(2), optics(true));
  const Served served(flaky, address);
  const auto remote = RemoteSystem::connect(address, patient(2));
  const auto phases = random_phases(local);
  local.set_phases(phases);
  flaky.command_failures = 2;
  remote->set_phases(phases);
  EXPECT_EQ(lines.size(), 2U);
  EXPECT_NE(lines.at(1).find("the driver is cold"), std::string::npos) << lines[1];
  EXPECT_NE(lines.at(1).find("2 of 2"), std::string::npos) << lines[1];
  flaky.read_failures = 2;
  const auto x = light(3);
  EXPECT_TRUE(remote->measure(x).output().equal(local.measure(x).output()));
  EXPECT_EQ(remote->measurements(), 3);
  EXPECT_EQ(remote->commands(), 1);
  flaky.read_failures = 3;
  expect_complaint({"RemoteSystem", address, "the camera is busy"}, [&] { remote->measure(x); });
  EXPECT_EQ(flaky.read_failures, 0);
  EXPECT_EQ(remote->measurements(), 3);
  expect_complaint({"set_commands"}, [&] { remote->measure(x); });
  remote->set_phases(phases);
  EXPECT_TRUE(remote->measure(x).output().equal(local.measure(x).output()));
}

/// An instrument of one mesh and six ports that says the next of `answers` to every message.
struct Scripted {
  Scripted(const std::string& address, std::vector<std::string> answers)
      : listener("Scripted", address), thread([this, answers](const Stopped& stopped) {
          size_t next = 0;
          while (auto client = listener.accept(stopped)) {
            Connection connection(std::move(*client), "Scripted", "client", stopped);
            try {
              connection.write(greeting(), deadline_after(60));
              while (next < answers.size()) {
                connection.receive([](MessageKind) { return 100000; }, Deadline::max());
                connection.write(answers[next++], deadline_after(60));
              }
              connection.has_next();
            } catch (const c10::ValueError&) {
            }
          }
        }) {}
  Listener listener;
  Background thread;
};

TEST_F(RemoteRetriesTest, NanIsMeasuredAgainAndSoIsAnAnswerToAnotherQuestion) {
  const auto x = light(2, at::kComplexFloat);
  const auto right = readings(4, 1, 2, 6, 12, 3), nan = readings(4, 1, 2, 6, 12, std::nan(""));
  for (const auto& wrong : {nan, readings(4, 1, 1, 6, 6), message(77, "")}) {
    // A new connection gets its phases; NaN does not cost the connection.
    const auto answers = wrong == nan ? std::vector<std::string>{done, wrong, right}
                                      : std::vector<std::string>{done, wrong, done, right};
    const Scripted scripted(address, answers);
    const auto remote = RemoteSystem::connect(address, patient(1));
    remote->set_phases(random_phases(*remote));
    EXPECT_TRUE(remote->measure(x).output().eq(3).all().item<bool>());
  }
  EXPECT_EQ(lines.size(), 3U);
}

TEST_F(RemoteRetriesTest, NanIsToldWithItsPlace) {
  std::string values;
  for (int i = 0; i < 12; ++i) {
    values += raw({i == 8 ? std::nanf("") : 1.0F});
  }
  const auto nan = message(5, raw<uint32_t>({4, 1, 2, 6}) + values);
  const Scripted scripted(address, {done, readings(4, 1, 2, 6, 12), nan});
  const auto remote = RemoteSystem::connect(address);
  remote->set_phases(random_phases(*remote));
  remote->measure(light(2, at::kComplexFloat));
  expect_complaint({"PhysicalSystem", "reading behind stage 0", "NaN at sample 1, port 2, of batch 1"},
                   [&] { remote->measure(light(2, at::kComplexFloat)); });
}

TEST_F(RemoteRetriesTest, ALostConnectionIsTriedAgain) {
  SimulatedSystem local(chips(2), optics(true));
  const auto phases = random_phases(local);
  local.set_phases(phases);
  auto process = std::make_unique<Process>([&] { serve_here(address, 2, true); });
  connect_when_ready(address);
  const auto remote = RemoteSystem::connect(address, patient(0, 60));
  remote->set_phases(phases);
  const auto x = light(3);
  EXPECT_TRUE(remote->measure(x).output().equal(local.measure(x).output()));
  process->end(SIGKILL);
  SimulatedSystem again(chips(2), optics(true));
  again.set_phases(phases);
  auto measured = std::async(std::launch::async, [&] { return remote->measure(x).output(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  process = std::make_unique<Process>([&] { serve_here(address, 2, true); });
  EXPECT_TRUE(measured.get().equal(again.measure(x).output()));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("Tried again for 60 s"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("there again"), std::string::npos) << lines[1];
  EXPECT_EQ(remote->commands(), 1);
  // Not for ever, and not another instrument.
  process->end(SIGKILL);
  const auto other = std::make_unique<Process>([&] { serve_here(address, 3, true); });
  connect_when_ready(address);
  expect_complaint({"RemoteSystem", "stages"}, [&] { remote->measure(x); });
}

TEST_F(RemoteRetriesTest, ALostConnectionIsGivenUpInTime) {
  auto served = std::make_unique<Scripted>(address, std::vector<std::string>{done});
  const auto remote = RemoteSystem::connect(address, patient(5, 0.3));
  remote->set_phases(random_phases(*remote));
  served.reset();
  expect_complaint({"RemoteSystem", address}, [&] { remote->measure(light(1)); });
  EXPECT_EQ(lines.size(), 1U);
}

// A program that is told to end does not wait for an instrument.
TEST_F(RemoteRetriesTest, EveryWaitCanBeStopped) {
  std::atomic<bool> stop = false;
  const auto options = patient(5, 1e6).timeout_s(1e6).stopped([&] { return stop.load(); });
  const auto stops = [&](const std::function<void()>& call) {
    stop = false;
    std::thread soon([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      stop = true;
    });
    expect_complaint({"RemoteSystem", address}, call);
    soon.join();
    stop = false;
  };
  const auto x = light(2, at::kComplexFloat);
  {
    const Scripted silent(address, {done});
    const auto remote = RemoteSystem::connect(address, options);
    stops([&] { RemoteSystem::connect(address, options); });  // the other is served
    remote->set_phases(random_phases(*remote));
    stops([&] { remote->measure(x); });
  }
  auto served = std::make_unique<Scripted>(address, std::vector<std::string>{done});
  const auto remote = RemoteSystem::connect(address, options);
  remote->set_phases(random_phases(*remote));
  served.reset();
  stops([&] { remote->measure(x); });  // nobody is there
}

TEST_F(RemoteRetriesTest, OptionsAreChecked) {
  for (const int64_t bad : {-1, 1001}) {
    expect_complaint({"RemoteSystem", "retries"}, [&] { RemoteSystem::connect(address, patient(bad)); });
  }
  for (const double bad : {-1.0, 1e7, std::nan("")}) {
    expect_complaint({"RemoteSystem", "reconnect_s"},
                     [&] { RemoteSystem::connect(address, patient(0, bad)); });
  }
}

}  // namespace
}  // namespace optotorch::testing::instruments
