#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/ridge.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

constexpr char ridge_name[] = "ridge_regression";
constexpr int64_t ridge_chunk = 4096;  // samples in float64 at a time
/// Part of the largest squared pivot below which one is nothing but rounding.
constexpr double dependent = 1e-13;

torch::Tensor values_of(const torch::Tensor& t, int64_t samples, int64_t classes) {
  const bool are_classes = t.defined() && t.scalar_type() == torch::kLong && t.dim() == 1;
  OPTOTORCH_CHECK(t.defined() && t.dim() >= 1 && t.size(0) == samples &&
                      (are_classes ? classes >= 1 : t.is_floating_point() && t.dim() == 2 && t.size(1) >= 1),
                  .where = ridge_name, .argument = "t",
                  .expected = c10::str("real values [", samples, ", outputs], or classes, int64 [", samples,
                                       "], and their number"),
                  .got = describe(t));
  if (!are_classes) {
    check_finite(ridge_name, "t", t);
    return t;
  }
  const auto least = t.min().item<int64_t>(), most = t.max().item<int64_t>();
  OPTOTORCH_CHECK(least >= 0 && most < classes, .where = ridge_name, .argument = "t",
                  .expected = c10::str("classes from 0 to ", classes - 1),
                  .got = std::to_string(least < 0 ? least : most));
  const auto missing = (at::bincount(t, {}, classes) == 0).nonzero();
  OPTOTORCH_CHECK(missing.numel() == 0, .where = ridge_name, .argument = "t",
                  .expected = "a sample of every class",
                  .got = c10::str("none of class ", missing[0].item<int64_t>()));
  return at::one_hot(t, classes);
}

}  // namespace

torch::Tensor LinearReadout::operator()(const torch::Tensor& x) const {
  return at::linear(x.to(torch::kDouble), weight, bias);
}

LinearReadout ridge_regression(const torch::Tensor& x, const torch::Tensor& t, double lambda,
                               int64_t classes) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 2 && x.size(0) >= 2 && x.size(1) >= 1,
                  .where = ridge_name, .argument = "x",
                  .expected = "real values [2 samples or more, features]", .got = describe(x));
  check_finite(ridge_name, "x", x);
  OPTOTORCH_CHECK(std::isfinite(lambda) && lambda >= 0, .where = ridge_name, .argument = "lambda",
                  .expected = "a number of at least 0", .got = c10::str(lambda));
  const int64_t samples = x.size(0), features = x.size(1);
  const auto values = values_of(t, samples, classes);
  const auto mean_x = x.mean(0, /*keepdim=*/true, torch::kDouble);
  const auto mean_t = values.mean(0, /*keepdim=*/true, torch::kDouble);
  auto gram = torch::zeros({features, features}, torch::kDouble);
  auto moment = torch::zeros({features, values.size(1)}, torch::kDouble);
  for (int64_t first = 0; first < samples; first += ridge_chunk) {
    const int64_t count = std::min(ridge_chunk, samples - first);
    const auto a = x.narrow(0, first, count).to(torch::kDouble) - mean_x;
    gram.addmm_(a.t(), a);
    moment.addmm_(a.t(), values.narrow(0, first, count).to(torch::kDouble) - mean_t);
  }
  auto diagonal = gram.diagonal();
  diagonal.add_(lambda * diagonal.mean().item<double>());
  const auto [factor, failed] = at::linalg_cholesky_ex(gram);
  const auto pivots = factor.diagonal().square();
  OPTOTORCH_CHECK(
      failed.item<int>() == 0 && pivots.min().item<double>() > dependent * pivots.max().item<double>(),
      .where = ridge_name, .argument = "x", .expected = "linearly independent features",
      .got = "some that depend on others", .remedy = "Raise lambda, or bring more samples");
  const auto w = at::cholesky_solve(moment, factor).t().contiguous();
  return {w, (mean_t - mean_x.mm(w.t())).squeeze(0)};
}

}  // namespace optotorch
