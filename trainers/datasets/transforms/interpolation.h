#pragma once

#include <string>
#include <vector>

namespace optotorch::transforms {

/// How values between pixels are found.
enum class Interpolation { nearest, nearest_exact, bilinear, bicubic };

/// "nearest", "nearest-exact", "bilinear", "bicubic", as torchvision calls them.
const std::vector<std::string>& words(Interpolation);

}  // namespace optotorch::transforms
