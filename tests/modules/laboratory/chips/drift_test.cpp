// Phases that wander in time, and systems and chips that are asked for a time.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/chips/drift.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>
#include <limits>
#include <vector>

namespace optotorch {
namespace {

using testing::correlation;
using testing::expect_close;

const MeshLayout drifting = universal(MeshGrid::rectangular, 64);  // 2016 MZIs
constexpr double minute = 1 / 60.0;

/// theta and phi of all MZIs, one after the other.
at::Tensor wiener(double hours, int64_t seed = 7) {
  return wiener_pairs(seed, 3, hours, 2016).t().flatten();
}

void expect_variance(const at::Tensor& values, double variance, const std::string& what) {
  const double n = static_cast<double>(values.numel());
  EXPECT_NEAR(values.square().mean().item<double>(), variance, 4 * variance * std::sqrt(2 / n)) << what;
  EXPECT_NEAR(values.mean().item<double>(), 0, 4 * std::sqrt(variance / n)) << what;
  // A normal distribution has the fourth moment 3.
  EXPECT_NEAR(values.pow(4).mean().item<double>() / (variance * variance), 3, 4 * std::sqrt(96 / n)) << what;
}

ops::MeshTensors zeros() {
  return {.theta = at::zeros({2016}, at::kDouble), .phi = at::zeros({2016}, at::kDouble)};
}

TEST(DriftTest, TheVarianceGrowsWithTime) {
  EXPECT_TRUE(wiener(0).eq(0).all().item<bool>());
  for (const double hours : {minute, 2 * minute, 1.0, 10.0, 273.0, 10'000.0}) {
    expect_variance(wiener(hours), hours, c10::str(hours, " hours"));
  }
}

TEST(DriftTest, IncrementsAreIndependent) {
  for (const double step : {minute, 17 * minute, 1.0, 1000.0}) {
    std::vector<at::Tensor> increments;
    for (int64_t n = 0; n < 6; ++n) {
      const double from = static_cast<double>(n) * step;
      increments.push_back(wiener(from + step) - wiener(from));
      expect_variance(increments.back(), step, c10::str("step ", n, " of ", step));
      for (int64_t m = 0; m < n; ++m) {
        EXPECT_LE(std::abs(correlation(increments[m], increments[n])), 4 / std::sqrt(4032.0))
            << m << " and " << n << " of " << step;
      }
    }
  }
  const auto pairs = wiener_pairs(7, 3, 10, 2016);
  EXPECT_LE(std::abs(correlation(pairs.select(1, 0).contiguous(), pairs.select(1, 1).contiguous())),
            4 / std::sqrt(2016.0));
  EXPECT_LE(std::abs(correlation(pairs.narrow(0, 0, 2015).flatten(), pairs.narrow(0, 1, 2015).flatten())),
            4 / std::sqrt(4030.0));
  EXPECT_LE(std::abs(correlation(wiener(10), wiener(10, 8))), 4 / std::sqrt(4032.0));
}

// Every minute of a path, and not only of many paths: the variance of its 1023 steps.
TEST(DriftTest, OnePathIsAWalk) {
  std::vector<at::Tensor> path;
  for (int64_t n = 0; n < 1024; ++n) {
    path.push_back(wiener_pairs(1, 3, static_cast<double>(n) * minute, 4));
  }
  const auto steps = at::stack(path).diff(1, 0);  // [1023, 4, 2]
  expect_variance(steps.flatten(), minute, "steps");
  const auto one = steps.select(2, 0).select(1, 0).contiguous();
  EXPECT_LE(std::abs(correlation(one.narrow(0, 0, 1022), one.narrow(0, 1, 1022))), 4 / std::sqrt(1022.0));
}

TEST(DriftTest, IsLinearBetweenMinutes) {
  for (const double start : {0.0, 599.0, 65'535.0}) {
    const auto from = wiener(start * minute), to = wiener((start + 1) * minute);
    expect_close(wiener((start + 0.25) * minute), 0.75 * from + 0.25 * to, 1e-11);
  }
}

TEST(DriftTest, AnMzisPathIsItsOwn) {
  EXPECT_TRUE(wiener_pairs(7, 3, 10, 15).equal(wiener_pairs(7, 3, 10, 2016).narrow(0, 0, 15)));
}

TEST(DriftTest, AChipAtATimeIsAPureFunction) {
  const Chip chip(drifting, Imperfections().phase_error(0.1).drift(0.02), 7);
  const auto direct = chip.at(10);
  EXPECT_EQ(direct.hours(), 10);
  EXPECT_EQ(chip.hours(), 0);
  for (const auto& other :
       {chip.at(5).at(10), chip.at(10'000).at(10), Chip(drifting, chip.imperfections(), 7).at(10),
        Chip(drifting, chip.tensors(), chip.imperfections(), 7).at(10)}) {
    EXPECT_TRUE(other.realise(zeros()).theta.equal(direct.realise(zeros()).theta));
    EXPECT_TRUE(other.realise(zeros()).phi.equal(direct.realise(zeros()).phi));
  }
  EXPECT_TRUE(direct.at(0).realise(zeros()).theta.equal(chip.realise(zeros()).theta));
  EXPECT_TRUE(direct.tensors().theta_offset.equal(chip.tensors().theta_offset));
}

TEST(DriftTest, AddsToTheOffsetsInTheSizeStated) {
  const Chip chip(drifting, Imperfections().phase_error(0.1).splitter_error(0.1).drift(0.02), 7);
  const auto now = chip.realise(zeros()), later = chip.at(10).realise(zeros());
  const auto pairs = 0.02 * wiener_pairs(7, 3, 10, 2016);
  expect_close(later.theta - now.theta, pairs.select(1, 0), 1e-14);
  expect_close(later.phi - now.phi, pairs.select(1, 1), 1e-14);
  EXPECT_TRUE(later.splitter_error->equal(*now.splitter_error));
  // It has nothing in common with the static errors of the seed.
  EXPECT_LE(std::abs(correlation(pairs.select(1, 0).contiguous(), chip.tensors().theta_offset)),
            4 / std::sqrt(2016.0));
  const Chip still(drifting, Imperfections().phase_error(0.1), 7);
  EXPECT_TRUE(still.at(10).realise(zeros()).theta.equal(still.realise(zeros()).theta));
}

TEST(DriftTest, BadTimesAreRejected) {
  const Chip chip(drifting, Imperfections().drift(0.02), 7);
  SimulatedSystem system(chip);
  for (const double bad : {-1e-9, 10'000.1, std::numeric_limits<double>::infinity(), std::nan("")}) {
    expect_complaint({"Chip::at", "hours", "0 to 10000"}, [&] { chip.at(bad); });
    expect_complaint({"Chip::at", "hours"}, [&] { system.set_time(bad); });
    EXPECT_EQ(system.hours(), 0);
  }
}

TEST(DriftTest, ASystemMeetsItsChipsOfTheTime) {
  at::manual_seed(3);
  const auto six = universal(MeshGrid::rectangular, 6);
  const auto imperfections = Imperfections().phase_error(0.1).drift(0.1).crosstalk(0.01);
  const std::vector<Chip> chips = {Chip(six, imperfections, 1), Chip(six, imperfections, 2)};
  const auto x = at::randn({4, 6}, at::kComplexDouble);
  const auto draw = [] { return at::rand({15}, at::kDouble) * 6; };
  const std::vector<MeshPhases> phases = {{draw(), draw(), {}}, {draw(), draw(), {}}};
  const auto readings = [&](const std::vector<Chip>& at_some_time) {
    SimulatedSystem fresh(at_some_time);
    fresh.set_phases(phases);
    return fresh.measure(x).output();
  };
  SimulatedSystem system(chips);
  system.set_time(2);  // before anything was commanded
  system.set_phases(phases);
  EXPECT_TRUE(system.measure(x).output().equal(readings({chips[0].at(2), chips[1].at(2)})));
  system.set_time(30);
  EXPECT_EQ(system.hours(), 30);
  EXPECT_TRUE(system.measure(x).output().equal(readings({chips[0].at(30), chips[1].at(30)})));
  system.set_time(0);
  EXPECT_TRUE(system.measure(x).output().equal(readings(chips)));
  EXPECT_EQ(system.commands(), 1);  // nothing was sent again
  EXPECT_GT(testing::relative_distance(readings({chips[0].at(2), chips[1].at(2)}), readings(chips)), 1e-2);
}

}  // namespace
}  // namespace optotorch
