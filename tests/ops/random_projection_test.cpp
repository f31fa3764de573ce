#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/random_projection.h>
#include <support/differences.h>
#include <support/errors.h>

#include <limits>

namespace optotorch {
namespace {

using ops::Entries;
using ops::random_projection;
using ops::random_projection_reference;
using testing::expect_close;

constexpr Entries all_entries[] = {Entries::rademacher, Entries::normal, Entries::complex_normal};

at::Tensor ternary(at::IntArrayRef shape) {
  return at::randint(-1, 2, shape, at::kChar);
}

/// B [rows, columns] itself, from units.
at::Tensor matrix(int64_t rows, int64_t columns, int64_t seed, Entries entries, int64_t first_row = 0) {
  return random_projection(at::eye(columns, at::kDouble), rows, seed, entries, first_row).t();
}

/// Of the size that a sum over the sample's values has.
void expect_near(const at::Tensor& y, const at::Tensor& expected, const at::Tensor& x, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(y.sizes(), expected.sizes()) << what;
  ASSERT_EQ(y.scalar_type(), expected.scalar_type()) << what;
  const auto size = x.to(at::kDouble).norm(2, {1}, /*keepdim=*/true);
  if (y.numel() > 0) {
    EXPECT_LE((at::abs(y - expected) / size).max().item<double>(), tolerance) << what;
  }
}

TEST(RandomProjectionTest, IsTheReferenceForEverySizeOfTileAndRemainder) {
  at::manual_seed(1);
  for (const auto entries : all_entries) {
    for (const int64_t columns : {1, 2, 3, 5, 31, 127, 128, 129, 300}) {
      for (const int64_t rows : {1, 7, 16, 33, 70}) {
        for (const int64_t batch : {0, 1, 5}) {
          const auto x = at::randn({batch, columns}, at::kDouble);
          const auto expected = random_projection_reference(x, rows, 77, entries, 3);
          const auto name = ops::entries_name(entries) + c10::str(" ", columns, " ", rows, " ", batch);
          expect_near(random_projection(x, rows, 77, entries, 3), expected, x, 1e-6, name);
          expect_near(random_projection(x.to(at::kFloat), rows, 77, entries, 3),
                      expected.to(expected.is_complex() ? at::kComplexFloat : at::kFloat), x, 3e-6, name);
        }
      }
    }
  }
}

TEST(RandomProjectionTest, SignsAreExact) {
  at::manual_seed(2);
  const auto x = at::randint(-9, 10, {6, 1000}, at::kDouble);
  EXPECT_TRUE(at::equal(random_projection(x, 50, -5, Entries::rademacher),
                        random_projection_reference(x, 50, -5, Entries::rademacher, 0)));
}

TEST(RandomProjectionTest, TernaryValuesAreValues) {
  at::manual_seed(3);
  for (const auto entries : all_entries) {
    for (const int64_t columns : {1, 4, 127, 128, 260, 5000}) {
      for (const int64_t batch : {1, 4}) {
        const auto q = ternary({batch, columns});
        const auto expected = random_projection_reference(q, 37, 9, entries, 11);
        const auto y = random_projection(q, 37, 9, entries, 11);
        expect_close(y, expected, entries == Entries::rademacher ? 0 : 3e-6, ops::entries_name(entries));
        EXPECT_TRUE(at::equal(y, random_projection(q.to(at::kFloat), 37, 9, entries, 11)));
      }
    }
  }
  // Sparse: whole blocks are left out.
  auto sparse = at::zeros({2, 3000}, at::kChar);
  sparse[0][2999] = 1;
  sparse[1][130] = -1;
  for (const auto entries : all_entries) {
    expect_close(random_projection(sparse, 20, 4, entries),
                 random_projection_reference(sparse, 20, 4, entries, 0), 1e-6);
    const auto many = sparse.repeat({5, 1});  // rare values in many samples are added, too
    EXPECT_TRUE(at::equal(random_projection(many, 20, 4, entries),
                          random_projection(sparse, 20, 4, entries).repeat({5, 1})));
  }
  EXPECT_EQ(random_projection(at::zeros({2, 300}, at::kChar), 5, 1).abs().max().item<float>(), 0);
}

TEST(RandomProjectionTest, HasTheSameBitsForAnyThreadsBatchAndSlice) {
  at::manual_seed(4);
  const int threads = at::get_num_threads();
  for (const auto entries : all_entries) {
    for (const auto type : {at::kFloat, at::kDouble, at::kChar}) {
      const auto x = type == at::kChar ? ternary({9, 517}) : at::randn({9, 517}, type);
      at::set_num_threads(1);
      const auto whole = random_projection(x, 301, 6, entries);
      at::set_num_threads(3);
      EXPECT_TRUE(at::equal(random_projection(x, 301, 6, entries), whole));
      at::set_num_threads(threads);
      const auto middle = random_projection(x, 19, 6, entries, 150);
      EXPECT_TRUE(at::equal(middle, whole.slice(1, 150, 169)));
      EXPECT_TRUE(at::equal(random_projection(x.slice(0, 3, 4), 301, 6, entries), whole.slice(0, 3, 4)));
      EXPECT_TRUE(at::equal(random_projection(x.slice(0, 2, 9), 301, 6, entries), whole.slice(0, 2, 9)));
    }
  }
}

TEST(RandomProjectionTest, EntriesHaveTheirMoments) {
  for (const auto entries : all_entries) {
    const auto b = matrix(700, 640, 12, entries);
    const double n = static_cast<double>(b.numel());
    const auto power = at::abs(b).square();
    EXPECT_LT(at::abs(b.mean()).item<double>(), 5 / std::sqrt(n));
    EXPECT_NEAR(power.mean().item<double>(), 1, 5 * std::sqrt(2 / n));
    const double fourth = power.square().mean().item<double>();
    const double expected = entries == Entries::rademacher ? 1 : entries == Entries::normal ? 3 : 2;
    EXPECT_NEAR(fourth, expected, 5 * 10 / std::sqrt(n));
    // Rows, and columns, know nothing of each other.
    const auto rows = at::abs(b.mm(at::conj(b.t()))) / 640;
    EXPECT_LT((rows - at::eye(700, at::kDouble)).abs().max().item<double>(), 0.35);
    const auto columns = at::abs(at::conj(b.t()).mm(b)) / 700;
    EXPECT_LT((columns - at::eye(640, at::kDouble)).abs().max().item<double>(), 0.35);
  }
  const auto signs = matrix(300, 200, 1, Entries::rademacher);
  EXPECT_TRUE(at::equal(signs.abs(), at::ones_like(signs)));
  const auto z = matrix(300, 200, 1, Entries::complex_normal);
  EXPECT_LT(std::abs((at::real(z) * at::imag(z)).mean().item<double>()), 0.01);
}

// Kolmogorov and Smirnov: the largest distance of the distributions, over its scale.
TEST(RandomProjectionTest, NormalEntriesAreNormal) {
  const auto b = std::get<0>(matrix(1000, 400, 3, Entries::normal).flatten().sort());
  const double n = static_cast<double>(b.numel());
  const auto expected = 0.5 * (1 + at::erf(b / std::sqrt(2.0)));
  const auto found = (at::arange(b.numel(), at::kDouble) + 0.5) / n;
  EXPECT_LT((expected - found).abs().max().item<double>() * std::sqrt(n), 1.95);  // P = .001
}

TEST(RandomProjectionTest, DependsOnSeedAndKind) {
  const auto a = matrix(8, 8, 1, Entries::normal);
  EXPECT_FALSE(at::equal(a, matrix(8, 8, 2, Entries::normal)));
  EXPECT_FALSE(at::equal(a, matrix(8, 8, 1 + (int64_t{1} << 32), Entries::normal)));
  EXPECT_FALSE(at::equal(a.sign(), matrix(8, 8, 1, Entries::rademacher)));
}

TEST(RandomProjectionTest, ReachesTheLastRows) {
  at::manual_seed(5);
  const auto x = at::randn({2, 40}, at::kDouble);
  const int64_t last = ops::projection_limit - 3;
  for (const auto entries : all_entries) {
    expect_close(random_projection(x, 3, 8, entries, last),
                 random_projection_reference(x, 3, 8, entries, last), 3e-7);
  }
}

TEST(RandomProjectionTest, ReadsStridedSamples) {
  at::manual_seed(6);
  const auto x = at::randn({50, 6}, at::kDouble).t();
  EXPECT_TRUE(at::equal(random_projection(x, 9, 1), random_projection(x.contiguous(), 9, 1)));
}

TEST(RandomProjectionTest, RejectsWrongInput) {
  const auto x = at::randn({2, 8});
  const auto limit = ops::projection_limit;
  EXPECT_SAYS(random_projection(x, 0, 1), "first_row + rows at most 2^31");
  EXPECT_SAYS(random_projection(x, limit + 1, 1), "rows: expected");
  EXPECT_SAYS(random_projection(x, limit - 3, 1, Entries::normal, 4), "rows: expected");
  EXPECT_SAYS(random_projection(x, std::numeric_limits<int64_t>::max(), 1), "rows: expected");
  EXPECT_SAYS(random_projection(x, 4, 1, Entries::normal, -1), "first_row: expected");
  EXPECT_SAYS(random_projection(x, 4, 1, Entries::normal, limit), "first_row: expected");
  EXPECT_SAYS((random_projection(at::randn({2, 0}), 4, 1)), "1 to 2^31 columns");
  EXPECT_SAYS((random_projection(at::randn({8}), 4, 1)), "float32 [8]");
  EXPECT_SAYS((random_projection(at::randn({2, 8}, at::kComplexFloat), 4, 1)), "imaginary part");
  EXPECT_SAYS((random_projection(at::ones({2, 8}, at::kInt), 4, 1)), "int32 [2, 8]");
  for (const auto entries : all_entries) {
    auto wrong = at::zeros({2, 8}, at::kChar);
    wrong[1][7] = 2;
    EXPECT_SAYS(random_projection(wrong, 4, 1, entries), "-1, 0 and 1 in int8, got 2");
  }
  EXPECT_SAYS(ops::entries_from("normale"), "Did you mean normal?");
}

}  // namespace
}  // namespace optotorch
