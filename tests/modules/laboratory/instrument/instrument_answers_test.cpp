// What an instrument may answer wrongly, or not at all: one clear error, in time, and nothing is believed.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>
#include <optotorch/modules/laboratory/instrument/detail/socket.h>
#include <optotorch/modules/laboratory/instrument/detail/wire.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <support/instrument_bytes.h>
#include <support/instruments.h>
#include <support/mesh_cases.h>
#include <sys/socket.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace optotorch::testing::instruments {
namespace {

class InstrumentAnswersTest : public InstrumentFixture {};

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

TEST_F(InstrumentAnswersTest, WrongGreetingsAreRejected) {
  const auto rejects = [&](const std::string& script, const std::vector<std::string>& parts) {
    const Fake fake(address, script);
    expect_complaint(parts, [&] { RemoteSystem::connect(address, RemoteSystemOptions().timeout_s(5)); });
  };
  const auto with = [](const std::string& payload) {
    return "optoinst" + raw<uint32_t>({3}) + message(1, payload);
  };
  const auto of = [&](const std::string& samples, const std::string& stages, const std::string& more = "") {
    return with(R"({"monitors":false,"samples":)" + samples + R"(,"stages":[)" + stages + "]" + more + "}");
  };
  const auto changed = [](const std::string& from, const std::string& to) {
    auto stage = mesh_of_six;
    stage.replace(stage.find(from), from.size(), to);
    return stage;
  };
  rejects("", {"RemoteSystem", "end of the connection"});
  rejects(greeting().substr(0, 30), {"RemoteSystem", "end of the connection"});
  rejects("HTTP/1.1 400 Bad Request\r\n", {"RemoteSystem", "an instrument"});
  for (const uint32_t other : {0U, 1U, 2U, 4U}) {
    rejects(greeting(other), {"RemoteSystem", "version 3", std::to_string(other), "Update"});
  }
  rejects("optoinst" + raw<uint32_t>({3}) + done, {"RemoteSystem", "kind 4"});
  rejects("optoinst" + raw<uint32_t>({3}) + message(1, "", int64_t{1} << 60), {"RemoteSystem", "at most"});
  rejects(with("nonsense"), {"RemoteSystem", "greeting", "JSON"});
  rejects(with("[]"), {"RemoteSystem", "greeting"});
  rejects(with("{}"), {"RemoteSystem", "greeting", "samples"});
  rejects(with(std::string(70, '[') + std::string(70, ']')), {"RemoteSystem", "greeting"});
  rejects(of("0", mesh_of_six), {"RemoteSystem", "samples"});
  rejects(of("\"9\"", mesh_of_six), {"RemoteSystem", "greeting"});
  rejects(of("9", ""), {"RemoteSystem", "stages"});
  rejects(of("9", "7"), {"RemoteSystem", "greeting"});
  rejects(of("9", changed("\"MziMesh\"", "\"\"")), {"RemoteSystem", "type"});
  rejects(of("9", changed("[15]}},", "[0]}},")), {"RemoteSystem", "commands.theta"});
  rejects(of("9", changed("[15]}},", "[9000000000,9000000000]}},")), {"RemoteSystem", "commands.theta"});
  rejects(of("9", changed("\"input\":[6]", "\"input\":[-6]")), {"RemoteSystem", "input"});
  rejects(of("9", changed("\"input\":[6]", "\"input\":\"6\"")), {"RemoteSystem", "greeting"});
  rejects(of("9", changed("{\"columns\"", "[{\"columns\"").replace(0, 0, "")), {"RemoteSystem", "greeting"});
  rejects(of("9", mesh_of_six, R"(,"between":[null])"), {"RemoteSystem", "between the stages", "0", "1"});
}

TEST_F(InstrumentAnswersTest, WhatStandsBetweenTheStagesIsTold) {
  const auto told = [&](const std::string& between) {
    const Fake fake(address, "optoinst" + raw<uint32_t>({3}) +
                                 message(1, R"({"monitors":false,"samples":9,"stages":[)" + mesh_of_six +
                                                "," + mesh_of_six + "]" + between + "}"));
    return RemoteSystem::connect(address)->between();
  };
  using Told = std::vector<std::string>;
  EXPECT_EQ(told(""), Told());
  EXPECT_EQ(told(R"(,"between":[null])"), Told{"nothing"});
  EXPECT_EQ(told(R"(,"between":["untold"])"), Told{""});
  EXPECT_EQ(told(R"(,"between":[{"type":"SaturableAbsorber","depth":2}])"),
            Told{R"({"depth":2,"type":"SaturableAbsorber"})"});
}

TEST_F(InstrumentAnswersTest, WrongAnswersAreRejectedAndTheNextCallConnectsAnew) {
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
  rejects(readings(4, 1, 2, 5, 10), {"RemoteSystem", "values of a sample", "6", "5"});
  rejects(readings(4, 1, 1, 6, 6), {"RemoteSystem", "samples", "2", "1"});
  rejects(readings(4, 2, 1, 6, 12), {"RemoteSystem", "stages"});
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

TEST_F(InstrumentAnswersTest, ASilentInstrumentIsATimeout) {
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

}  // namespace
}  // namespace optotorch::testing::instruments
