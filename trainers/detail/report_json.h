#pragma once

// What the lines of metrics.jsonl and a run's position have in common.

#include <cmath>
#include <nlohmann/json.hpp>

namespace optotorch {

/// It goes without saying.
inline constexpr auto default_metric = "accuracy";

/// JSON has no NaN: null stands for it.
inline double number_or_nan(const nlohmann::json& value) {
  return value.is_null() ? std::nan("") : value.get<double>();
}

}  // namespace optotorch
