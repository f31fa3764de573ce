#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/mesh/fidelity.h>
#include <optotorch/mesh/haar.h>

#include <complex>

#include "support/mesh_cases.h"

namespace optotorch {
namespace {

const c10::complex<double> i{0, 1};

TEST(FidelityTest, KnownValues) {
  const auto one = at::eye(2, at::kComplexDouble);
  const auto swap = at::tensor({0.0, 1.0, 1.0, 0.0}, at::kDouble).view({2, 2}).to(at::kComplexDouble);
  EXPECT_DOUBLE_EQ(fidelity(one, one), 1);
  EXPECT_DOUBLE_EQ(fidelity(one, swap), 0);
  // tr = 2 cos(.3): a rotation by .3 has cos(.3)^2.
  const auto rotation =
      at::tensor({std::cos(.3), -std::sin(.3), std::sin(.3), std::cos(.3)}, at::kDouble).view({2, 2});
  EXPECT_NEAR(fidelity(one, rotation), std::cos(.3) * std::cos(.3), 1e-15);
  // A phase on one of two ports: |1 + e^{i t}|^2 / 4 = cos(t / 2)^2.
  const auto phase =
      at::diag(at::stack({at::polar(at::ones({}, at::kDouble), at::zeros({}, at::kDouble)),
                          at::polar(at::ones({}, at::kDouble), at::full({}, 1.0, at::kDouble))}));
  EXPECT_NEAR(fidelity(one, phase), std::cos(.5) * std::cos(.5), 1e-15);
  // One port of two is dark: |1|^2 / (2 * 1).
  const auto dark = at::diag(at::tensor({1.0, 0.0}, at::kDouble));
  EXPECT_NEAR(fidelity(one, dark), .5, 1e-15);
}

TEST(FidelityTest, NeitherCommonPhaseNorLossCounts) {
  const auto u = haar_unitary(6, generator(1)), v = haar_unitary(6, generator(2));
  const double plain = fidelity(u, v);
  EXPECT_GT(plain, 0);
  EXPECT_LT(plain, 1);
  EXPECT_NEAR(fidelity(u, v * (i * 1e-200)), plain, 1e-14);
  EXPECT_NEAR(fidelity(u * 1e200, v), plain, 1e-14);
  EXPECT_NEAR(fidelity(v, u), plain, 1e-14);
  EXPECT_NEAR(fidelity(u, u * i), 1, 1e-14);
  // Clements et al., for a unitary u.
  const double overlap = at::matmul(u.conj().t(), v).trace().abs().item<double>();
  EXPECT_NEAR(plain, overlap * overlap / (6 * 6), 1e-14);
}

TEST(FidelityTest, RejectsWhatHasNone) {
  const auto one = at::eye(2, at::kDouble);
  expect_complaint({"fidelity: v: expected the shape of u, [2, 2], got float64 [3, 3]"},
                   [&] { fidelity(one, at::eye(3, at::kDouble)); });
  expect_complaint({"fidelity: u:", "got zeros"}, [&] { fidelity(at::zeros({2, 2}), one); });
  expect_complaint({"fidelity: v:", "finite"}, [&] { fidelity(one, one / 0); });
  expect_complaint({"fidelity: v:", "int64"}, [&] { fidelity(one, at::ones({2, 2}, at::kLong)); });
  expect_complaint({"fidelity: u:", "undefined"}, [&] { fidelity({}, one); });
}

}  // namespace
}  // namespace optotorch
