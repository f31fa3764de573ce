// What heaters make of commanded phases: wrapping, levels, crosstalk.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/chips/chip.h>
#include <optotorch/modules/laboratory/chips/heaters.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

using testing::expect_close;

const MeshLayout heated = universal(MeshGrid::rectangular, 7);

at::Tensor commands(const MeshLayout& layout, double low, double high) {
  return at::rand({layout.mzis()}, at::kDouble) * (high - low) + low;
}

/// Pairs (column, upper port) in the order of the MZIs.
std::vector<std::pair<int64_t, int64_t>> places(const MeshLayout& layout) {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (int64_t column = 0; column < layout.columns; ++column) {
    for (int64_t pair = 0; pair < layout.pairs(column); ++pair) {
      all.emplace_back(column, MeshLayout::first_port(column) + 2 * pair);
    }
  }
  return all;
}

class HeatersTest : public ::testing::Test {
 protected:
  HeatersTest() { at::manual_seed(3); }
};

TEST_F(HeatersTest, WithoutImperfectionsTheCommandIsDelivered) {
  const auto commanded = commands(heated, -20, 20).to(at::kFloat);
  EXPECT_TRUE(heater_phases(commanded, heated, Imperfections(), phi_period).is_same(commanded));
  EXPECT_TRUE(heater_phases(commanded, heated, Imperfections().phase_error(1).drift(1), phi_period)
                  .is_same(commanded));
}

TEST_F(HeatersTest, CrosstalkIsThatOfTheSlotsAboveAndBelow) {
  for (const auto& layout : {heated, universal(MeshGrid::rectangular, 8), universal(MeshGrid::triangular, 6),
                             universal(MeshGrid::rectangular, 2), universal(MeshGrid::rectangular, 3)}) {
    const auto commanded = commands(layout, 0, 6);
    const auto at = places(layout);
    auto expected = commanded.clone();
    for (size_t i = 0; i < at.size(); ++i) {
      for (size_t j = 0; j < at.size(); ++j) {
        if (at[i].first == at[j].first && std::abs(at[i].second - at[j].second) == 2) {
          expected[static_cast<int64_t>(i)] += 0.03 * commanded[static_cast<int64_t>(j)];
        }
      }
    }
    const auto delivered = heater_phases(commanded, layout, Imperfections().crosstalk(0.03), phi_period);
    expect_close(delivered, expected, 1e-15, name(layout));
  }
}

TEST_F(HeatersTest, AHeatersPhaseIsWithinATurn) {
  const auto commanded = commands(heated, -50, 50);
  // One column of one MZI: nothing leaks, the phase is only wrapped.
  const MeshLayout alone{.ports = 2, .columns = 1};
  const auto wrap = [&](double phase) {
    return heater_phases(at::full({1}, phase, at::kDouble), alone, Imperfections().crosstalk(0.1), phi_period)
        .item<double>();
  };
  for (int64_t i = 0; i < commanded.numel(); ++i) {
    const double phase = commanded[i].item<double>(), wrapped = wrap(phase);
    EXPECT_GE(wrapped, 0);
    EXPECT_LT(wrapped, 2 * pi);
    EXPECT_NEAR(std::cos(wrapped), std::cos(phase), 1e-13);
    EXPECT_NEAR(std::sin(wrapped), std::sin(phase), 1e-13);
  }
  EXPECT_EQ(wrap(0), 0);
  EXPECT_EQ(wrap(2 * pi), 0);
  EXPECT_EQ(wrap(-1e-20), 0);
  EXPECT_EQ(wrap(1.5), 1.5);
}

TEST_F(HeatersTest, TheDriverTakesTheNearestLevel) {
  const auto commanded = commands(heated, -20, 20);
  for (const int64_t bits : {1L, 2L, 5L, 8L, 24L}) {
    const double step = 2 * pi / std::ldexp(1.0, static_cast<int>(bits));
    const auto delivered = heater_phases(commanded, heated, Imperfections().phase_bits(bits), phi_period);
    const auto level = delivered / step;
    expect_close(level, level.round(), 1e-15, c10::str(bits, " bits"));
    EXPECT_GE(delivered.min().item<double>(), 0);
    EXPECT_LE(delivered.max().item<double>(), 2 * pi - 0.999 * step);
    const auto off = (delivered - commanded + pi).remainder(2 * pi) - pi;  // on the circle
    EXPECT_LE(off.abs().max().item<double>(), 0.5 * step + 1e-13) << bits;
    EXPECT_GT(off.abs().max().item<double>(), 0.35 * step) << bits;
    // What is a level already stays.
    EXPECT_TRUE(
        heater_phases(delivered, heated, Imperfections().phase_bits(bits), phi_period).equal(delivered))
        << bits;
  }
  const auto two_bits = [](double phase) {
    return heater_phases(at::full({1}, phase, at::kDouble), {.ports = 2, .columns = 1},
                         Imperfections().phase_bits(2), phi_period)
               .item<double>() *
           2 / pi;
  };
  EXPECT_EQ(two_bits(0.2 * pi), 0);
  EXPECT_EQ(two_bits(0.3 * pi), 1);
  EXPECT_EQ(two_bits(1.7 * pi), 3);
  EXPECT_EQ(two_bits(1.8 * pi), 0);
  EXPECT_EQ(two_bits(-0.3 * pi), 3);
}

TEST_F(HeatersTest, AChipWrapsQuantisesLeaksAndErrsInThisOrder) {
  const auto imperfections = Imperfections().crosstalk(0.02).phase_bits(4).phase_error(0.3);
  const Chip chip(heated, imperfections, 5);
  const double step = pi / 8;
  const auto slow = [&](const at::Tensor& commanded, const at::Tensor& offset, double period) {
    const auto wrapped = commanded.to(at::kDouble).remainder(period);
    const auto level = (wrapped / step).round().remainder(period / step) * step;
    return heater_phases(level, heated, Imperfections().crosstalk(0.02), period) + offset;
  };
  for (const auto type : {at::kFloat, at::kDouble}) {
    const ops::MeshTensors commanded{.theta = commands(heated, -9, 9).to(type),
                                     .phi = commands(heated, -9, 9).to(type),
                                     .screen = at::full({7}, -40, type)};
    const auto realised = chip.realise(commanded);
    const double tolerance = type == at::kFloat ? 1e-7 : 1e-14;
    expect_close(realised.theta, slow(commanded.theta, chip.tensors().theta_offset, 4 * pi).to(type),
                 tolerance);
    expect_close(realised.phi, slow(commanded.phi, chip.tensors().phi_offset, 2 * pi).to(type), tolerance);
    EXPECT_TRUE(realised.screen->equal(*commanded.screen));  // a screen is ideal
  }
  // A chip of known errors has the same heaters.
  const Chip known(heated, chip.tensors(), imperfections);
  const ops::MeshTensors commanded{.theta = commands(heated, -9, 9), .phi = commands(heated, -9, 9)};
  EXPECT_TRUE(known.realise(commanded).theta.equal(chip.realise(commanded).theta));
  EXPECT_TRUE(known.realise(commanded).phi.equal(chip.realise(commanded).phi));
}

// theta + 2 pi negates both outputs of an MZI: its period is 4 pi, and a negative theta stays what it means.
TEST_F(HeatersTest, FineLevelsAreTheModel) {
  const auto x = at::randn({5, 7}, at::kComplexDouble);
  for (const auto& layout : all_layouts(7)) {
    const ops::MeshTensors commanded{.theta = commands(layout, -20, 20), .phi = commands(layout, -20, 20)};
    const Chip chip(layout, Imperfections().phase_bits(24), 5);
    expect_close(ops::mzi_mesh(x, chip.realise(commanded), layout), ops::mzi_mesh(x, commanded, layout), 1e-5,
                 name(layout));
  }
}

}  // namespace
}  // namespace optotorch
