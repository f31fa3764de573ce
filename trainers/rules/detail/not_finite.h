#pragma once

#include <optotorch/modules/hybrid.h>

#include <string>
#include <vector>

namespace optotorch {

/// What to do about a loss that is not finite, from the passes that led to it: names the first layer that
/// makes NaN or infinity of finite values, and says so if a sample is dark there, all its values 0.
std::string remedy_for_not_finite(const HybridImpl& model, const std::vector<Pass>& passes);

}  // namespace optotorch
