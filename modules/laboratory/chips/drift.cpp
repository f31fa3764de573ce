#include <optotorch/core/check.h>
#include <optotorch/core/random.h>
#include <optotorch/core/random_pairs.h>
#include <optotorch/modules/laboratory/chips/drift.h>

#include <array>
#include <cmath>

namespace optotorch {
namespace {

constexpr int depth = 20;
constexpr int64_t horizon = int64_t{1} << depth;  // minutes
static_assert(60 * longest_drift_hours < horizon);

using Pair = std::array<double, 2>;

/// Number `minute` (1 to horizon) of an MZI's normal pairs.
Pair draw(uint64_t seed, uint64_t stream, int64_t mzi, int64_t minute) {
  return normal_pair(seed, stream,
                     (static_cast<uint64_t>(mzi) << (depth + 1)) + static_cast<uint64_t>(minute));
}

/// Both processes of one MZI, in square roots of a minute.
Pair walk(uint64_t seed, uint64_t stream, int64_t mzi, double minutes) {
  Pair left{}, right = draw(seed, stream, mzi, horizon);
  for (auto& value : right) {
    value *= std::sqrt(static_cast<double>(horizon));
  }
  int64_t begin = 0;
  for (int64_t width = horizon; width > 1; width /= 2) {
    // Between two known ends the middle has their mean and the variance width / 4.
    const int64_t minute = begin + width / 2;
    auto middle = draw(seed, stream, mzi, minute);
    for (size_t i = 0; i < 2; ++i) {
      middle[i] = 0.5 * (left[i] + right[i] + std::sqrt(static_cast<double>(width)) * middle[i]);
    }
    if (minutes < static_cast<double>(minute)) {
      right = middle;
    } else {
      left = middle;
      begin = minute;
    }
  }
  const double part = minutes - static_cast<double>(begin);
  return {left[0] + part * (right[0] - left[0]), left[1] + part * (right[1] - left[1])};
}

}  // namespace

void check_hours(const std::string& where, double hours) {
  OPTOTORCH_CHECK(hours >= 0 && hours <= longest_drift_hours, .where = where, .argument = "hours",
                  .expected = c10::str("0 to ", longest_drift_hours), .got = c10::str(hours));
}

at::Tensor wiener_pairs(int64_t seed, uint64_t stream, double hours, int64_t count) {
  constexpr int64_t grain = 1 << 8;
  return rows_of_pairs(count, grain, [&](int64_t mzi) {
    const auto [a, b] = walk(static_cast<uint64_t>(seed), stream, mzi, 60 * hours);
    return Pair{a / std::sqrt(60.0), b / std::sqrt(60.0)};
  });
}

}  // namespace optotorch
