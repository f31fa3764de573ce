#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/mesh/haar.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/mesh_cases.h"

namespace optotorch {
namespace {

class HaarTest : public OneThreadTest {};

/// Mean of samples and the standard error of that mean.
struct Mean {
  at::Tensor value, error;
};

Mean average(const at::Tensor& samples) {
  return {samples.mean(0), samples.std(0) / std::sqrt(static_cast<double>(samples.size(0)))};
}

/// |mean - expected| <= 5 standard errors everywhere: one honest draw in a million fails in an element.
void expect_mean(const at::Tensor& samples, double expected, const std::string& what) {
  const auto [value, error] = average(samples);
  const at::Tensor deviation = ((value - expected) / error).abs();
  EXPECT_LT(deviation.max().item<double>(), 5) << what << ": expected " << expected << ", got " << value;
}

/// Moments that determine a Haar-random matrix to fourth order: magnitudes, correlations and phases.
void expect_haar_moments(const at::Tensor& samples, const std::string& what) {
  const double n = static_cast<double>(samples.size(1));
  const at::Tensor power = samples.abs().square();
  expect_mean(power, 1 / n, what + ", |U_ij|^2");
  expect_mean(power.square(), 2 / (n * (n + 1)), what + ", |U_ij|^4");
  expect_mean(power.select(1, 0).select(1, 0) * power.select(1, 1).select(1, 1), 1 / (n * n - 1),
              what + ", |U_00 U_11|^2");
  expect_mean(power.select(1, 0).select(1, 0) * power.select(1, 0).select(1, 1), 1 / (n * (n + 1)),
              what + ", |U_00 U_01|^2");
  expect_mean(at::real(samples), 0, what + ", Re U_ij");
  expect_mean(at::imag(samples), 0, what + ", Im U_ij");
  const at::Tensor trace = samples.diagonal(0, 1, 2).sum(1);
  expect_mean(trace.abs().square(), 1, what + ", |tr U|^2");
  expect_mean(at::real(trace * trace), 0, what + ", Re (tr U)^2");
  const auto element = [&](int64_t i, int64_t j) { return samples.select(1, i).select(1, j); };
  const at::Tensor ring = element(0, 0) * element(1, 1) * (element(0, 1) * element(1, 0)).conj();
  expect_mean(at::real(ring), -1 / (n * (n * n - 1)), what + ", U_00 U_11 conj(U_01 U_10)");
}

at::Tensor draw_matrices(const MeshLayout& layout, int64_t count, uint64_t seed) {
  auto random = generator(seed);
  std::vector<at::Tensor> samples;
  for (int64_t k = 0; k < count; ++k) {
    samples.push_back(reconstruct(haar_phases(layout, random), layout));
  }
  return at::stack(samples);
}

TEST_F(HaarTest, MatricesHaveHaarMoments) {
  auto random = generator(21);
  std::vector<at::Tensor> samples;
  for (int64_t k = 0; k < 8000; ++k) {
    samples.push_back(haar_unitary(4, random));
  }
  expect_haar_moments(at::stack(samples), "haar_unitary");
}

TEST_F(HaarTest, PhasesHaveHaarMomentsInEveryConvention) {
  uint64_t seed = 30;
  for (const auto& layout : all_layouts(5)) {
    expect_haar_moments(draw_matrices(layout, 4000, ++seed), name(layout));
  }
  expect_haar_moments(draw_matrices(universal(MeshGrid::rectangular, 2), 4000, 50), "two ports");
  expect_haar_moments(draw_matrices(universal(MeshGrid::rectangular, 6), 4000, 51), "six ports");
}

TEST_F(HaarTest, DeeperMeshesStayHaar) {
  for (const int64_t columns : {5, 7, 11}) {
    for (const auto arm : {PhiArm::input, PhiArm::output}) {
      const MeshLayout layout{.ports = 4, .columns = columns, .phi_arm = arm};
      expect_haar_moments(draw_matrices(layout, 4000, 60 + columns), name(layout));
    }
  }
}

TEST_F(HaarTest, EveryMziHasTheDistributionThatDecomposedMatricesHave) {
  // The independent route to the ranks: decompose Haar matrices and look at every theta.
  for (const auto& layout : {universal(MeshGrid::rectangular, 7), universal(MeshGrid::rectangular, 8),
                             universal(MeshGrid::triangular, 7)}) {
    auto random = generator(70);
    std::vector<at::Tensor> drawn, decomposed;
    for (int64_t k = 0; k < 3000; ++k) {
      drawn.push_back((haar_phases(layout, random).theta / 2).cos().square());
      decomposed.push_back((decompose(haar_unitary(layout.ports, random), layout).theta / 2).cos().square());
    }
    for (const double power : {1.0, 2.0, 6.0}) {
      const Mean a = average(at::stack(drawn).pow(power));
      const Mean b = average(at::stack(decomposed).pow(power));
      const at::Tensor deviation = (a.value - b.value).abs() / at::hypot(a.error, b.error);
      EXPECT_LT(deviation.max().item<double>(), 5) << name(layout) << " " << power << "\n" << deviation;
    }
  }
}

TEST_F(HaarTest, ShallowMeshesAreDrawnWithinRange) {
  const MeshLayout layout{.ports = 40, .columns = 6, .zero_state = ZeroState::bar};
  const MeshPhases phases = haar_phases(layout, generator(80));
  ASSERT_EQ(phases.theta.sizes(), at::IntArrayRef({layout.mzis()}));
  expect_in_range(phases.theta, 0, pi, "theta");
  expect_in_range(phases.phi, 0, 2 * pi, "phi");
  expect_in_range(phases.gamma, 0, 2 * pi, "screen");
  // The first column's rank is 1: the crossed power is uniform, with mean 1/2 and variance 1/12.
  auto random = generator(81);
  std::vector<at::Tensor> crossed;
  for (int64_t k = 0; k < 300; ++k) {
    crossed.push_back((haar_phases(layout, random).theta.narrow(0, 0, 20) / 2).sin().square());
  }
  expect_mean(at::stack(crossed), 0.5, "first column");
  expect_mean((at::stack(crossed) - 0.5).square(), 1.0 / 12, "first column, variance");
}

TEST_F(HaarTest, DrawsFromTheGeneratorItIsGiven) {
  const auto layout = universal(MeshGrid::rectangular, 6);
  const auto same = [](const MeshPhases& a, const MeshPhases& b) {
    return a.theta.equal(b.theta) && a.phi.equal(b.phi) && a.gamma.equal(b.gamma);
  };
  at::manual_seed(5);
  const MeshPhases first = haar_phases(layout);
  const at::Tensor matrix = haar_unitary(6);
  EXPECT_FALSE(same(first, haar_phases(layout)));
  at::manual_seed(5);
  EXPECT_TRUE(same(first, haar_phases(layout)));
  // A generator of one's own leaves the default one alone.
  EXPECT_TRUE(same(haar_phases(layout, generator(9)), haar_phases(layout, generator(9))));
  EXPECT_FALSE(same(haar_phases(layout, generator(9)), haar_phases(layout, generator(10))));
  EXPECT_TRUE(matrix.equal(haar_unitary(6)));
  EXPECT_LT(distance(at::matmul(matrix, matrix.mH()), at::eye(6, at::kComplexDouble)), 1e-14);
}

TEST_F(HaarTest, RejectsLayoutsThatCannotBe) {
  expect_complaint({"haar_phases: columns"}, [] { haar_phases({.ports = 4, .columns = 0}); });
  expect_complaint({"haar_unitary: ports: expected at least 1, got 0"}, [] { haar_unitary(0); });
}

}  // namespace
}  // namespace optotorch
