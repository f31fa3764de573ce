#pragma once

// Windows of random area and shape, as RandomResizedCrop and RandomErasing draw them.

#include <optotorch/trainers/datasets/transforms/draws.h>

#include <vector>

namespace optotorch::transforms {

/// The logarithms of two numbers, in float32.
std::vector<double> log_of(const std::vector<double>& ratio);

/// Sides that are sqrt(area * aspect) and sqrt(area / aspect), rounded half to even.
struct RandomSides {
  int64_t times = 0, over = 0;
};

/// area: `pixels` times a uniform number of `scale`; aspect: exp of a uniform number of `log_ratio`.
RandomSides random_sides(int64_t pixels, const std::vector<double>& scale,
                         const std::vector<double>& log_ratio, Draws& draws);

}  // namespace optotorch::transforms
