#include <gtest/gtest.h>
#include <optotorch/ops/simd_target.h>

namespace optotorch::ops {
namespace {

TEST(SimdTargetTest, IsTheBestThatTheProcessorOffers) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd")) {
    EXPECT_EQ(simd_target(), "AVX3");
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    EXPECT_EQ(simd_target(), "AVX2");
  } else {
    EXPECT_EQ(simd_target(), "SSE4");
  }
#else
  EXPECT_FALSE(simd_target().empty());
#endif
}

}  // namespace
}  // namespace optotorch::ops
