// Where a listener listens, who may connect, and that a full queue is waited for.

#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/instrument/detail/socket.h>
#include <support/instruments.h>
#include <support/mesh_cases.h>
#include <sys/stat.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace optotorch::testing::instruments {
namespace {

class SocketTest : public InstrumentFixture {};

TEST_F(SocketTest, TheFileBelongsToItsOwnerWhateverTheUmask) {
  for (const mode_t mask : {0000, 0022, 0777}) {
    const mode_t before = ::umask(mask);
    const Listener listener("Test", address);
    ::umask(before);
    struct stat status = {};
    ASSERT_EQ(::lstat((folder / "instrument").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & ACCESSPERMS, 0600U) << mask;
    EXPECT_FALSE(listener.is_beyond_loopback());
    connect_socket("Test", address, deadline_after(30));
  }
}

TEST_F(SocketTest, WhatOtherHostsReachIsKnown) {
  EXPECT_FALSE(Listener("Test", "tcp:127.0.0.1:0").is_beyond_loopback());
  EXPECT_FALSE(Listener("Test", "tcp:127.1.2.3:0").is_beyond_loopback());
  EXPECT_FALSE(Listener("Test", "tcp:localhost:0").is_beyond_loopback());
  EXPECT_TRUE(Listener("Test", "tcp:0.0.0.0:0").is_beyond_loopback());
}

/// As many as the queue takes, and the error that the next one gets.
std::vector<Socket> fill(const std::string& address) {
  std::vector<Socket> waiting;
  for (;;) {
    try {
      waiting.push_back(connect_socket("Test", address, deadline_after(0.2)));
    } catch (const c10::ValueError& error) {
      EXPECT_NE(std::string(error.what_without_backtrace()).find("timed out"), std::string::npos)
          << error.what_without_backtrace();
      return waiting;
    }
  }
}

TEST_F(SocketTest, AFullQueueIsWaitedFor) {
  const Listener listener("Test", address);
  EXPECT_FALSE(listener.has_waiting());
  const auto waiting = fill(address);
  EXPECT_TRUE(listener.has_waiting());
  std::atomic<bool> connected = false;
  std::thread late([&] {
    connect_socket("Test", address, deadline_after(60));
    connected = true;
  });
  std::vector<Socket> accepted;
  while (!connected) {  // one after another leaves
    if (listener.has_waiting()) {
      accepted.push_back(*listener.accept([] { return false; }));
    }
  }
  late.join();
  EXPECT_GE(accepted.size(), 1U);
}

TEST_F(SocketTest, WaitingForAFullQueueCanBeStopped) {
  const Listener listener("Test", address);
  const auto waiting = fill(address);
  int asked = 0;
  expect_complaint({"Test", address},
                   [&] { connect_socket("Test", address, Deadline::max(), [&] { return ++asked > 2; }); });
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace optotorch::testing::instruments
