#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/free_space.h>
#include <support/differences.h>
#include <support/errors.h>

#include <tuple>
#include <vector>

namespace optotorch {
namespace {

using ops::free_space;
using ops::free_space_backward;
using ops::free_space_reference;
using testing::expect_close;

struct Sizes {
  int64_t batch, planes, rows, columns, height, width, padded_height, padded_width;
};

const std::vector<Sizes> sizes = {
    {2, 1, 8, 8, 8, 8, 15, 16},          {3, 2, 5, 7, 9, 4, 16, 12}, {1, 1, 1, 1, 1, 1, 1, 1},
    {1, 3, 40, 20, 40, 60, 80, 90},      {4, 1, 6, 6, 6, 6, 6, 6},   {2, 2, 1, 30, 1, 31, 1, 60},
    {1, 1, 300, 30, 90, 999, 320, 1000},  // several panels of rows and of columns
};

at::Tensor random_field(const Sizes& s) {
  return at::randn({s.batch, s.planes, s.rows, s.columns}, at::kComplexDouble);
}

at::Tensor random_transfer(const Sizes& s, bool of_planes) {
  return of_planes ? at::randn({s.planes, s.padded_height, s.padded_width}, at::kComplexDouble)
                   : at::randn({s.padded_height, s.padded_width}, at::kComplexDouble);
}

TEST(FreeSpaceTest, IsTheReference) {
  at::manual_seed(1);
  for (const auto& s : sizes) {
    for (const bool of_planes : {false, true}) {
      const auto x = random_field(s), t = random_transfer(s, of_planes);
      expect_close(free_space(x, t, s.height, s.width), free_space_reference(x, t, s.height, s.width), 1e-13);
      const auto x32 = x.to(at::kComplexFloat), t32 = t.to(at::kComplexFloat);
      expect_close(free_space(x32, t32, s.height, s.width),
                   free_space_reference(x, t, s.height, s.width).to(at::kComplexFloat), 2e-6);
    }
  }
}

TEST(FreeSpaceTest, MeansASum) {
  at::manual_seed(2);
  // y_i = sum_j h_(i - j) x_j, written out.
  const auto h = at::randn({5, 6}, at::kComplexDouble), x = at::randn({1, 1, 3, 4}, at::kComplexDouble);
  const auto y = free_space(x, at::fft_fft2(h), 3, 3);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t k = 0; k < 3; ++k) {
      auto sum = at::zeros({}, at::kComplexDouble);
      for (int64_t j = 0; j < 3; ++j) {
        for (int64_t l = 0; l < 4; ++l) {
          sum += h[(i - j + 5) % 5][(k - l + 6) % 6] * x[0][0][j][l];
        }
      }
      expect_close(y[0][0][i][k], sum, 1e-13);
    }
  }
}

TEST(FreeSpaceTest, ReadsStridedConjugatedAndNegatedTensors) {
  at::manual_seed(3);
  const auto x = at::randn({2, 6, 2, 7}, at::kComplexDouble).transpose(1, 2),
             t = at::randn({14, 12}, at::kComplexDouble).t();
  const auto expected = free_space_reference(x.contiguous(), t.contiguous(), 6, 7);
  expect_close(free_space(x, t, 6, 7), expected, 1e-13);
  expect_close(free_space(x.conj(), t.conj(), 6, 7),
               free_space_reference(x.conj().resolve_conj(), t.conj().resolve_conj(), 6, 7), 1e-13);
  const auto whole = x.contiguous(), kernel = t.contiguous();
  expect_close(free_space(at::_neg_view(whole), kernel, 6, 7), -expected, 1e-13);
  expect_close(free_space(whole, at::_neg_view(kernel), 6, 7), -expected, 1e-13);
}

TEST(FreeSpaceTest, TheBatchAndTheThreadsChangeNoBit) {
  at::manual_seed(4);
  const int threads = at::get_num_threads();
  for (const int64_t side : {9, 64, 100}) {
    const auto x = at::randn({5, 1, side, side}, at::kComplexFloat);
    const auto t = at::randn({2 * side, 2 * side}, at::kComplexFloat);
    const auto all = free_space(x, t, side, side);
    for (const int some : {1, 2, 3}) {
      at::set_num_threads(some);
      EXPECT_TRUE(at::equal(free_space(x, t, side, side), all)) << side << " on " << some;
      EXPECT_TRUE(at::equal(free_space(x.narrow(0, 2, 1), t, side, side), all.narrow(0, 2, 1))) << side;
    }
    at::set_num_threads(threads);
  }
}

TEST(FreeSpaceTest, AdjointAndReciprocity) {
  at::manual_seed(5);
  for (const auto& s : sizes) {
    const auto x = random_field(s), t = random_transfer(s, true);
    const auto y = at::randn({s.batch, s.planes, s.height, s.width}, at::kComplexDouble);
    const auto there = free_space(x, t, s.height, s.width);
    const auto [back, none] = free_space_backward(y, x, t, true, false);
    EXPECT_EQ(none.numel(), 0);
    const auto left = (there.conj() * y).sum(), right = (x.conj() * back).sum();
    EXPECT_LT(((left - right).abs() / (there.norm() * y.norm())).item<double>(), 1e-14);
  }
  // A kernel that is the same both ways: sum y A x = sum x A y.
  const auto half = at::randn({4, 4}, at::kComplexDouble);
  const auto even = half + at::roll(half.flip({0, 1}), {1, 1}, {0, 1});
  const auto x = at::randn({1, 1, 4, 4}, at::kComplexDouble), y = at::randn({1, 1, 4, 4}, at::kComplexDouble);
  expect_close((y * free_space(x, even, 4, 4)).sum(), (x * free_space(y, even, 4, 4)).sum(), 1e-13);
}

TEST(FreeSpaceTest, BackwardIsTheDerivative) {
  at::manual_seed(6);
  for (const bool of_planes : {false, true}) {
    const Sizes s{2, 2, 3, 4, 4, 3, 7, 6};
    auto x = random_field(s), t = random_transfer(s, of_planes);
    const auto w = at::randn({s.batch, s.planes, s.height, s.width}, at::kComplexDouble);
    const auto loss = [&] {
      return at::real(w.conj() * free_space(x, t, s.height, s.width)).sum().item<double>();
    };
    const auto [dL_dx, dL_dt] = free_space_backward(w, x, t);
    expect_close(dL_dx, testing::central_differences(loss, x), 1e-10);
    expect_close(dL_dt, testing::central_differences(loss, t), 1e-10);
    const auto leaf = x.clone().requires_grad_(), kernel = t.clone().requires_grad_();
    at::real(w.conj() * free_space(leaf, kernel, s.height, s.width)).sum().backward();
    expect_close(leaf.grad(), dL_dx, 1e-14);
    expect_close(kernel.grad(), dL_dt, 1e-14);
  }
}

TEST(FreeSpaceTest, EmptyBatches) {
  const auto x = at::zeros({0, 2, 3, 4}, at::kComplexFloat), t = at::ones({6, 8}, at::kComplexFloat);
  EXPECT_EQ(free_space(x, t, 5, 2).sizes(), at::IntArrayRef({0, 2, 5, 2}));
  EXPECT_EQ(free_space_reference(x, t, 5, 2).sizes(), at::IntArrayRef({0, 2, 5, 2}));
  const auto [dL_dx, dL_dt] = free_space_backward(at::zeros({0, 2, 5, 2}, at::kComplexFloat), x, t);
  EXPECT_EQ(dL_dx.sizes(), x.sizes());
  EXPECT_TRUE(dL_dt.equal(at::zeros_like(t)));
}

TEST(FreeSpaceTest, WrongInput) {
  const auto x = at::zeros({1, 2, 3, 4}, at::kComplexFloat), t = at::ones({6, 8}, at::kComplexFloat);
  EXPECT_SAYS(free_space(at::real(x), t, 3, 4), "free_space: field");
  EXPECT_SAYS(free_space(x[0], t, 3, 4), "[batch, planes, height, width]");
  EXPECT_SAYS(free_space(x, t.to(at::kComplexDouble), 3, 4), "share one precision");
  EXPECT_SAYS(free_space(x, at::real(t), 3, 4), "transfer");
  EXPECT_SAYS(free_space(x, t.expand({3, 6, 8}), 3, 4), "of each of the 2 planes");
  EXPECT_SAYS(free_space(x, t.narrow(0, 0, 2), 2, 4), "field: expected 1 x 1 to 2 x 8");
  EXPECT_SAYS(free_space(x, t, 7, 4), "output window: expected 1 x 1 to 6 x 8");
  EXPECT_SAYS(free_space(x, t, 0, 4), "output window");
  EXPECT_SAYS(free_space_backward(x.narrow(1, 0, 1), x, t), "dL_doutput");
  EXPECT_SAYS(free_space_backward(at::zeros({1, 2, 9, 4}, at::kComplexFloat), x, t), "dL_doutput");
}

}  // namespace
}  // namespace optotorch
