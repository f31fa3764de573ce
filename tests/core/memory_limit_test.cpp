#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/core/memory_limit.h>
#include <support/errors.h>

#include <thread>

namespace optotorch {
namespace {

TEST(MemoryLimitTest, StopsTheThreadThatAsksForMore) {
  const auto ask = [](int64_t bytes) { return at::empty({bytes}, at::kByte); };
  {
    const MemoryLimit limit("here", 1000);
    EXPECT_EQ(ask(600).numel(), 600);  // freed at once, and counted
    EXPECT_SAYS(ask(600), "here: memory: expected at most 1000 bytes of tensors, got another 600");
    EXPECT_EQ(ask(300).numel(), 300);
    int64_t elsewhere = 0;
    std::thread([&] { elsewhere = ask(1 << 20).numel(); }).join();
    EXPECT_EQ(elsewhere, 1 << 20);
    {
      const MemoryLimit inner("inside", 1 << 30);
      EXPECT_SAYS(ask(600), "here: memory");  // both count
    }
    {
      const MemoryLimit inner("inside", 50);
      EXPECT_SAYS(ask(60), "inside: memory");
    }
  }
  EXPECT_EQ(ask(1 << 20).numel(), 1 << 20);
  auto kept = at::Tensor();
  {
    const MemoryLimit limit("here", 1 << 20);
    kept = at::ones({100});
  }
  EXPECT_EQ(kept.sum().item<float>(), 100);  // what was made under a limit outlives it
}

}  // namespace
}  // namespace optotorch
