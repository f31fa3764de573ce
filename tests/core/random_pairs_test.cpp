#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <gtest/gtest.h>
#include <optotorch/core/random.h>
#include <optotorch/core/random_pairs.h>

namespace optotorch {
namespace {

constexpr int64_t count = 10'000;  // more than one thread's share

TEST(RandomPairsTest, RowsAreThePairsOfTheStream) {
  const auto pairs = normal_pairs(7, 3, 5, count);
  ASSERT_EQ(pairs.sizes(), (at::IntArrayRef{count, 2}));
  ASSERT_EQ(pairs.scalar_type(), at::kDouble);
  for (const int64_t n : {int64_t{0}, int64_t{1}, int64_t{4095}, int64_t{4096}, count - 1}) {
    const auto [a, b] = normal_pair(7, 3, static_cast<uint64_t>(5 + n));
    EXPECT_EQ(pairs[n][0].item<double>(), a) << n;
    EXPECT_EQ(pairs[n][1].item<double>(), b) << n;
  }
  EXPECT_TRUE(normal_pairs(7, 3, 6, count - 1).equal(pairs.narrow(0, 1, count - 1)));
  EXPECT_EQ(normal_pairs(7, 3, 5, 0).numel(), 0);
}

TEST(RandomPairsTest, DoNotDependOnTheThreads) {
  const int before = at::get_num_threads();
  const auto restore = c10::make_scope_exit([before] { at::set_num_threads(before); });
  at::set_num_threads(1);
  const auto alone = normal_pairs(7, 3, 0, count);
  at::set_num_threads(3);
  EXPECT_TRUE(normal_pairs(7, 3, 0, count).equal(alone));
}

}  // namespace
}  // namespace optotorch
