#pragma once

#include <functional>
#include <vector>

namespace optotorch {

/// A factor on every learning rate, from the number of steps taken and the number there will be. A pure
/// function: a resumed run needs no state of it.
using Schedule = std::function<double(int64_t step, int64_t total_steps)>;

/// Always 1.
Schedule constant_schedule();

/// min(1, (step + 1) / warmup_steps) (1 + cos(pi step / total)) / 2: falls to 0 at the end.
/// Throws c10::ValueError for warmup_steps below 0.
Schedule cosine_schedule(int64_t warmup_steps = 0);

/// One drop of a step schedule: from `fraction` of all steps on, the factor is `factor` (not cumulative).
struct Drop {
  double fraction,  ///< 0 to 1, and not below that of the drop before
      factor;       ///< at least 0
};

/// 1 until the first drop. Throws c10::ValueError for fractions that fall or leave [0, 1], and for negative factors.
Schedule step_schedule(std::vector<Drop> drops);

}  // namespace optotorch
