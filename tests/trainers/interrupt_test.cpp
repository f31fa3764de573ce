#include <gtest/gtest.h>
#include <optotorch/trainers/interrupt.h>

#include <csignal>

namespace optotorch {
namespace {

TEST(InterruptTest, EverySignalThatEndsAsksFirst) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const auto before = std::signal(signal, SIG_DFL);
    {
      const InterruptGuard guard;
      EXPECT_FALSE(InterruptGuard::requested());
      std::raise(signal);
      EXPECT_TRUE(InterruptGuard::requested()) << signal;
    }
    EXPECT_EQ(std::signal(signal, before), SIG_DFL) << signal;
  }
}

TEST(InterruptTest, ASecondHangUpIsNoOrderToEnd) {
  const InterruptGuard guard;
  std::raise(SIGHUP);
  std::raise(SIGHUP);
  EXPECT_TRUE(InterruptGuard::requested());
}

TEST(InterruptTest, ASecondInterruptEndsTheProcess) {
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          const InterruptGuard guard;
          std::raise(signal);
          std::raise(signal);
        },
        ::testing::KilledBySignal(signal), "");
  }
}

TEST(InterruptTest, WhatIgnoresTheEndOfItsTerminalGoesOn) {
  const auto before = std::signal(SIGHUP, SIG_IGN);  // as nohup does
  {
    const InterruptGuard guard;
    std::raise(SIGHUP);
    EXPECT_FALSE(InterruptGuard::requested());
  }
  EXPECT_EQ(std::signal(SIGHUP, before), SIG_IGN);
}

}  // namespace
}  // namespace optotorch
