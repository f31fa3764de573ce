#pragma once

#include <string>
#include <vector>

namespace optotorch::transforms {

/// What stands around an image "1 2 3": constant "0 0 1 2 3 0 0", edge "1 1 1 2 3 3 3", reflect
/// "3 2 1 2 3 2 1", symmetric "2 1 1 2 3 3 2".
enum class PaddingMode { constant, edge, reflect, symmetric };

/// Their names.
const std::vector<std::string>& words(PaddingMode);

}  // namespace optotorch::transforms
