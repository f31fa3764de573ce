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

namespace optotorch {
namespace {

using namespace testing::instruments;

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
    return "optoinst" + raw<uint32_t>({1}) + message(1, payload);
  };
  const auto mesh = raw<uint32_t>({6, 6}) + raw<uint8_t>({0, 1, 0, 0});
  rejects("", {"RemoteSystem", "end of the connection"});
  rejects(greeting().substr(0, 30), {"RemoteSystem", "end of the connection"});
  rejects("HTTP/1.1 400 Bad Request\r\n", {"RemoteSystem", "an instrument"});
  rejects(greeting(3), {"RemoteSystem", "version 1 or 2", "3"});
  rejects(greeting(0), {"RemoteSystem", "version 1 or 2", "0"});
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
  const auto between = [&](const std::string& payload) {
    return "optoinst" + raw<uint32_t>({2}) + message(1, raw<uint32_t>({9, 0, 1}) + mesh + payload);
  };
  rejects(between(""), {"RemoteSystem", "another 4 bytes"});
  rejects(between(raw<uint32_t>({4, 0})), {"RemoteSystem", "between the meshes", "0 to 3", "4"});
  rejects(between(raw<uint32_t>({1, 1}) + raw({1.0})), {"RemoteSystem", "constants", "0", "1"});
  rejects(between(raw<uint32_t>({2, 3}) + raw({0.1, 1.0})), {"RemoteSystem", "another 8 bytes"});
  rejects(between(raw<uint32_t>({2, 4000000000})), {"RemoteSystem", "constants", "3"});
  rejects(between(raw<uint32_t>({2, 3}) + raw({0.1, std::nan(""), 1.0})), {"RemoteSystem", "a finite gain"});
  rejects(between(raw<uint32_t>({1, 0, 0})), {"RemoteSystem", "nothing"});
}

TEST_F(InstrumentAnswersTest, WhatStandsBetweenTheMeshesIsTold) {
  using Kind = BetweenMeshes::Kind;
  const auto told = [&](const std::string& script) {
    const Fake fake(address, script);
    return RemoteSystem::connect(address)->between();
  };
  EXPECT_EQ(told(greeting(1)), BetweenMeshes{});  // it knew no such words
  EXPECT_EQ(told(greeting()), (BetweenMeshes{Kind::nothing, {}}));
  const auto say = [&](const std::string& tail) {
    return "optoinst" + raw<uint32_t>({2}) +
           message(1, raw<uint32_t>({9, 0, 1, 6, 6}) + raw<uint8_t>({0, 1, 0, 0}) + tail);
  };
  EXPECT_EQ(told(say(raw<uint32_t>({0, 0}))), BetweenMeshes{});
  EXPECT_EQ(told(say(raw<uint32_t>({2, 3}) + raw({0.1, 0.2, 0.3}))),
            (BetweenMeshes{Kind::electro_optic, {0.1, 0.2, 0.3}}));
  EXPECT_EQ(told(say(raw<uint32_t>({3, 2}) + raw({2.0, 1.0}))),
            (BetweenMeshes{Kind::saturable_absorber, {2, 1}}));
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
}  // namespace optotorch
