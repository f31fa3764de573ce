#include "fma_peak.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "fma_peak.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Floating-point operations done; twelve chains keep two units with a latency of four cycles busy.
double multiply_and_add(int64_t times, float* result) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.999f), term = hn::Set(d, 1e-3f);
  // No two chains begin alike: of equal ones the compiler would keep one.
  const auto from = [&](float start) { return hn::Set(d, start); };
  auto a0 = from(.1f), a1 = from(.2f), a2 = from(.3f), a3 = from(.4f), a4 = from(.5f), a5 = from(.6f);
  auto b0 = from(.7f), b1 = from(.8f), b2 = from(.9f), b3 = from(1.1f), b4 = from(1.2f), b5 = from(1.3f);
  for (int64_t i = 0; i < times; ++i) {
    a0 = hn::MulAdd(a0, factor, term);
    a1 = hn::MulAdd(a1, factor, term);
    a2 = hn::MulAdd(a2, factor, term);
    a3 = hn::MulAdd(a3, factor, term);
    a4 = hn::MulAdd(a4, factor, term);
    a5 = hn::MulAdd(a5, factor, term);
    b0 = hn::MulAdd(b0, factor, term);
    b1 = hn::MulAdd(b1, factor, term);
    b2 = hn::MulAdd(b2, factor, term);
    b3 = hn::MulAdd(b3, factor, term);
    b4 = hn::MulAdd(b4, factor, term);
    b5 = hn::MulAdd(b5, factor, term);
  }
  const auto a = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), hn::Add(a4, a5));
  const auto b = hn::Add(hn::Add(hn::Add(b0, b1), hn::Add(b2, b3)), hn::Add(b4, b5));
  *result = hn::GetLane(hn::Add(a, b));
  return 24.0 * static_cast<double>(times) * static_cast<double>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace optotorch::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::bench {

HWY_EXPORT(multiply_and_add);

double fma_peak_gflops() {
  double best = 0;
  for (int run = 0; run < 20; ++run) {
    float value = 0;
    const auto start = std::chrono::steady_clock::now();
    const double operations = HWY_DYNAMIC_DISPATCH(multiply_and_add)(1000000, &value);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    best = std::max(best, operations / spent.count() / 1e9);
  }
  return best;
}

}  // namespace optotorch::bench
#endif
