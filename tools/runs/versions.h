#pragma once

#include <nlohmann/json_fwd.hpp>

namespace optotorch::tools {

/// Versions of OptoTorch and LibTorch, the SIMD target and the number of threads: what a result was made
/// with.
nlohmann::ordered_json versions();

}  // namespace optotorch::tools
