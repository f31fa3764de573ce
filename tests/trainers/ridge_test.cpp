#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/ridge.h>
#include <support/differences.h>
#include <support/errors.h>

#include <cmath>

namespace optotorch {
namespace {

using testing::expect_close;

TEST(RidgeTest, IsTheMinimum) {
  torch::manual_seed(1);
  const auto x = torch::randn({5000, 6}, torch::kFloat64) * torch::linspace(0.5, 3, 6, torch::kFloat64) + 4;
  const auto t = torch::randn({5000, 2}, torch::kFloat64) - 7 + x.narrow(1, 0, 2);
  for (const double lambda : {0.0, 0.3}) {
    const auto found = ridge_regression(x, t, lambda);
    const double scale = x.var(0, /*unbiased=*/false).mean().item<double>();
    const auto loss = [&](const at::Tensor& w, const at::Tensor& b) {
      return ((at::linear(x, w, b) - t).square().sum(1).mean() + lambda * scale * w.square().sum())
          .item<double>();
    };
    auto w = found.weight.clone(), b = found.bias.clone();
    const double least = loss(w, b);
    EXPECT_LE(testing::central_differences([&] { return loss(w, b); }, w).abs().max().item<double>(), 1e-7);
    EXPECT_LE(testing::central_differences([&] { return loss(w, b); }, b).abs().max().item<double>(), 1e-7);
    EXPECT_LT(least, loss(w * 1.01, b));
    expect_close(found(x), at::linear(x, w, b), 1e-14);
  }
}

TEST(RidgeTest, ClassesAreMasks) {
  torch::manual_seed(2);
  const auto x = torch::randn({300, 4});
  const auto t = at::arange(300).remainder(3);
  const auto a = ridge_regression(x, t, 0.01, 3),
             b = ridge_regression(x, at::one_hot(t, 3).to(at::kDouble), 0.01);
  EXPECT_EQ(a.weight.scalar_type(), at::kDouble);
  expect_close(a.weight, b.weight, 1e-12);
  expect_close(a.bias, b.bias, 1e-12);
}

TEST(RidgeTest, WrongInputIsRejected) {
  torch::manual_seed(3);
  const auto x = torch::randn({30, 4});
  const auto t = torch::randn({30, 2});
  EXPECT_SAYS(ridge_regression(x, t, -1), "lambda");
  EXPECT_SAYS(ridge_regression(x, t, std::nan("")), "lambda");
  EXPECT_SAYS(ridge_regression(x, t.narrow(0, 0, 29), 0), "t");
  EXPECT_SAYS(ridge_regression(x.select(0, 0), t, 0), "x");
  EXPECT_SAYS(ridge_regression(at::full({30, 4}, std::nan("")), t, 0), "x");
  EXPECT_SAYS(ridge_regression(x, at::arange(30).remainder(2), 0, 3), "none of class 2");
  EXPECT_SAYS(ridge_regression(x, at::arange(30).remainder(4), 0, 3), "classes from 0 to 2");
  EXPECT_SAYS(ridge_regression(x, at::arange(30).remainder(4), 0), "t");
  const auto dependent = at::cat({x, x.narrow(1, 0, 1) + x.narrow(1, 1, 1)}, 1);
  EXPECT_SAYS(ridge_regression(dependent, t, 0), "depend");
  EXPECT_SAYS(ridge_regression(at::ones({30, 3}), t, 1), "depend");  // readings that are all equal
  EXPECT_NO_THROW(ridge_regression(dependent, t, 1e-3));
  EXPECT_SAYS(ridge_regression(torch::randn({5, 9}), torch::randn({5, 2}), 0), "samples");
}

}  // namespace
}  // namespace optotorch
