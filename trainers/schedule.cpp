#include <optotorch/core/check.h>
#include <optotorch/trainers/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace optotorch {

Schedule constant_schedule() {
  return [](int64_t, int64_t) { return 1.0; };
}

Schedule cosine_schedule(int64_t warmup_steps) {
  OPTOTORCH_CHECK(warmup_steps >= 0, .where = "cosine_schedule", .argument = "warmup_steps",
                  .expected = "0 or more", .got = std::to_string(warmup_steps));
  return [warm_up = static_cast<double>(warmup_steps)](int64_t step, int64_t total) {
    const double warm = warm_up > 0 ? std::min(1.0, static_cast<double>(step + 1) / warm_up) : 1.0;
    const double angle = std::numbers::pi * static_cast<double>(step) / static_cast<double>(total);
    return warm * (1 + std::cos(angle)) / 2;
  };
}

Schedule step_schedule(std::vector<Drop> drops) {
  double last = 0;
  for (const auto& drop : drops) {
    OPTOTORCH_CHECK(drop.fraction >= last && drop.fraction <= 1 && drop.factor >= 0, .where = "step_schedule",
                    .argument = "drops", .expected = "rising fractions in [0, 1] and factors >= 0",
                    .got = c10::str("fraction ", drop.fraction, ", factor ", drop.factor));
    last = drop.fraction;
  }
  return [drops = std::move(drops)](int64_t step, int64_t total) {
    double factor = 1;
    for (const auto& drop : drops) {
      if (static_cast<double>(step) >= drop.fraction * static_cast<double>(total)) {
        factor = drop.factor;
      }
    }
    return factor;
  };
}

}  // namespace optotorch
