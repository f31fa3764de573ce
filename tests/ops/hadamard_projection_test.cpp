#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/hadamard_projection.h>
#include <support/differences.h>
#include <support/errors.h>

#include <limits>
#include <string>

namespace optotorch {
namespace {

using ops::hadamard_projection;
using ops::hadamard_projection_reference;
using testing::expect_close;

TEST(HadamardProjectionTest, IsTheReference) {
  at::manual_seed(1);
  for (const int64_t columns : {1, 3, 15, 16, 17, 64, 100, 128, 129, 600}) {
    for (const int64_t rows : {1, 10, 16, 40, 300}) {
      const auto x = at::randn({3, columns}, at::kDouble);
      for (const int64_t first_row : {0, 5, 1000}) {
        const auto expected = hadamard_projection_reference(x, rows, 9, first_row);
        expect_close(hadamard_projection(x, rows, 9, first_row), expected, 1e-14);
        expect_close(hadamard_projection(x.to(at::kFloat), rows, 9, first_row), expected.to(at::kFloat),
                     2e-6);
      }
    }
  }
  EXPECT_EQ(hadamard_projection(at::zeros({0, 5}), 7, 1).sizes(), (std::vector<int64_t>{0, 7}));
}

// Beyond the size that one block of the cache holds.
TEST(HadamardProjectionTest, IsOrthogonalAtAnySize) {
  at::manual_seed(2);
  for (const int64_t n : {16, 4096, 8192, 65536}) {
    const auto x = at::randn({2, n}, at::kDouble);
    const auto y = hadamard_projection(x, n, 4);
    expect_close(y.mm(y.t()) / static_cast<double>(n), x.mm(x.t()), 1e-12, std::to_string(n));
  }
}

TEST(HadamardProjectionTest, EntriesHaveTheMomentsOfNormalOnes) {
  const auto b = hadamard_projection(at::eye(512, at::kDouble), 1024, 3);
  const double n = static_cast<double>(b.numel());
  EXPECT_LT(std::abs(b.mean().item<double>()), 5 / std::sqrt(n));
  EXPECT_NEAR(b.square().mean().item<double>(), 1, 1e-10);
  EXPECT_NEAR(b.square().square().mean().item<double>(), 3, 0.1);
}

TEST(HadamardProjectionTest, HasTheSameBitsForAnyThreadsBatchAndSlice) {
  at::manual_seed(5);
  const auto x = at::randn({7, 200});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto whole = hadamard_projection(x, 700, 6);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(hadamard_projection(x, 700, 6), whole));
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(hadamard_projection(x, 100, 6, 250), whole.slice(1, 250, 350)));
  EXPECT_TRUE(at::equal(hadamard_projection(x.slice(0, 2, 3), 700, 6), whole.slice(0, 2, 3)));
  EXPECT_FALSE(at::equal(hadamard_projection(x, 700, 7), whole));
}

TEST(HadamardProjectionTest, RejectsWrongInput) {
  const auto x = at::randn({2, 8});
  EXPECT_SAYS(hadamard_projection(x, 0, 1), "rows: expected");
  EXPECT_SAYS(hadamard_projection(x, std::numeric_limits<int64_t>::max(), 1, 1), "rows: expected");
  EXPECT_SAYS(hadamard_projection(x, 1, 1, -1), "first_row: expected");
  EXPECT_SAYS((hadamard_projection(at::randn({2, 0}), 1, 1)), "1 to 2^30 columns");
  EXPECT_SAYS((hadamard_projection(at::ones({2, 8}, at::kChar), 1, 1)), "int8 [2, 8]");
  EXPECT_SAYS((hadamard_projection(at::ones({8}), 1, 1)), "float32 [8]");
}

}  // namespace
}  // namespace optotorch
