#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace optotorch {

/// The longest time after which a chip can be looked at, in hours.
inline constexpr double longest_drift_hours = 10'000;

/// Throws c10::ValueError, in the name of `where`, for hours out of 0 to longest_drift_hours.
void check_hours(const std::string& where, double hours);

/// Two independent Wiener processes for each of `count` MZIs at the time `hours` (0 to longest_drift_hours):
/// float64 [count, 2], in square roots of an hour.
///
///     W(0) = 0,     W((k + 1) / 60) - W(k / 60) ~ N(0, 1 / 60), independent;     linear between two minutes
///
/// A pure function of (seed, stream, hours, number of the MZI). The path is drawn by bisection (Levy's
/// Brownian bridge), whose increments have this law: every time costs 21 normal pairs an MZI, whether it is a
/// minute or a year.
at::Tensor wiener_pairs(int64_t seed, uint64_t stream, double hours, int64_t count);

}  // namespace optotorch
