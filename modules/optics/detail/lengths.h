#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// Throws c10::ValueError unless every length is finite and more than 0 metres.
void check_lengths(const std::string& where, const std::string& argument, const std::vector<double>& lengths);

/// Throws unless `place` is two finite numbers: metres down and to the right.
void check_place(const std::string& where, const std::string& argument, const std::vector<double>& place);

/// Places of a window's samples along an axis, as seen from `center`, which counts from the window's middle:
/// float64 [count], metres.
torch::Tensor sample_places(int64_t count, double spacing, double center);

}  // namespace optotorch
