#include "runs/versions.h"

#include <ATen/Parallel.h>
#include <optotorch/ops/simd_target.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>

namespace optotorch::tools {

nlohmann::ordered_json versions() {
  return {{"optotorch", OPTOTORCH_VERSION},
          {"libtorch", TORCH_VERSION},
          {"simd", ops::simd_target()},
          {"threads", at::get_num_threads()}};
}

}  // namespace optotorch::tools
