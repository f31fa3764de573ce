#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/held_back.h>

#include <cmath>

namespace optotorch {

int64_t held_back_of(int64_t count, double validation, const char* what) {
  const double held_back = validation < 1 ? std::round(validation * static_cast<double>(count)) : validation;
  OPTOTORCH_CHECK(
      held_back >= 1 && held_back < static_cast<double>(count) && held_back == std::floor(held_back),
      .where = "split", .argument = "validation",
      .expected = c10::str("a fraction of the ", count, " ", what,
                           ", or a whole number of them, that leaves both parts at least one"),
      .got = c10::str(validation));
  return static_cast<int64_t>(held_back);
}

}  // namespace optotorch
