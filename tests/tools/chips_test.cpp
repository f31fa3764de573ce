#include <gtest/gtest.h>

#include <limits>

#include "runs/laboratory.h"

namespace optotorch::tools {
namespace {

TEST(ChipsTest, EveryMeshHasASeedOfItsOwn) {
  const MeshLayout layout{.ports = 4, .columns = 4};
  Laboratory laboratory;
  const auto seeds = [&](int64_t chip_seed, int64_t seed) {
    laboratory.chip_seed = chip_seed;
    std::vector<int64_t> all;
    for (const auto& chip : make_chips(laboratory, layout, 3, seed)) {
      all.push_back(chip.seed());
    }
    return all;
  };
  EXPECT_EQ(seeds(3, 7), (std::vector<int64_t>{3000, 3001, 3002}));
  EXPECT_EQ(seeds(-1, 7), (std::vector<int64_t>{7000, 7001, 7002}));
  // Seeds are counted modulo 2^64: signed arithmetic would overflow here.
  EXPECT_EQ(seeds(std::numeric_limits<int64_t>::max(), 0), (std::vector<int64_t>{-1000, -999, -998}));
  EXPECT_EQ(seeds(-1, std::numeric_limits<int64_t>::min()), (std::vector<int64_t>{0, 1, 2}));
}

}  // namespace
}  // namespace optotorch::tools
