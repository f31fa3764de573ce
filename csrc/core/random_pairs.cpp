#include <optotorch/core/random.h>
#include <optotorch/core/random_pairs.h>

namespace optotorch {

at::Tensor normal_pairs(int64_t seed, uint64_t stream, int64_t first, int64_t count) {
  constexpr int64_t grain = 1 << 12;
  return rows_of_pairs(count, grain, [&](int64_t n) {
    return normal_pair(static_cast<uint64_t>(seed), stream, static_cast<uint64_t>(first + n));
  });
}

}  // namespace optotorch
