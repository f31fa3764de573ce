// Many chips in one call are each chip by itself.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/chips/chip_stack.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <vector>

namespace optotorch {
namespace {

using testing::expect_close;

constexpr int64_t count = 4;

/// Four chips with the same imperfections, different seeds and times.
std::vector<Chip> some_chips(const MeshLayout& layout, const Imperfections& imperfections) {
  std::vector<Chip> chips;
  for (int64_t c = 0; c < count; ++c) {
    chips.push_back(Chip(layout, imperfections, c).at(static_cast<double>(c)));
  }
  return chips;
}

ops::MeshTensors stack_commands(const MeshLayout& layout, at::ScalarType type, bool screen) {
  ops::MeshTensors commanded{.theta = at::rand({count, layout.mzis()}, type) * 6,
                             .phi = at::randn({count, layout.mzis()}, type) * 6};
  if (screen) {
    commanded.screen = at::randn({count, layout.ports}, type);
  }
  return commanded;
}

ops::MeshTensors of_chip(const ops::MeshTensors& commanded, int64_t c) {
  ops::MeshTensors own{.theta = commanded.theta[c], .phi = commanded.phi[c]};
  if (commanded.screen) {
    own.screen = (*commanded.screen)[c];
  }
  return own;
}

class ChipStackTest : public OneThreadTest {
 protected:
  ChipStackTest() { at::manual_seed(3); }
};

TEST_F(ChipStackTest, IsEveryChipByItself) {
  const std::vector<Imperfections> all = {Imperfections(), Imperfections().phase_error(0.1).drift(0.1),
                                          Imperfections().splitter_error(0.1).crosstalk(0.02).phase_bits(6),
                                          Imperfections().splitter_error(0.1).loss_db(0.2)};
  for (const auto& imperfections : all) {
    for (const auto& layout : all_layouts(5)) {
      for (const auto type : {at::kFloat, at::kDouble}) {
        const auto chips = some_chips(layout, imperfections);
        const auto commanded = stack_commands(layout, type, layout.zero_state == ZeroState::bar);
        const auto x = at::randn({7, count, 5}, c10::toComplexType(type));
        const auto y = ops::mzi_mesh(x, realise(chips, commanded), layout);
        for (int64_t c = 0; c < count; ++c) {
          const auto own = chips[c].realise(of_chip(commanded, c));
          EXPECT_TRUE(y.select(1, c).equal(ops::mzi_mesh(x.select(1, c).contiguous(), own, layout)))
              << name(layout) << ", chip " << c;
        }
      }
    }
  }
}

TEST_F(ChipStackTest, PerfectChipsMayStandBesideOthers) {
  const auto layout = universal(MeshGrid::rectangular, 6);
  const std::vector<Chip> chips = {
      Chip(layout, Imperfections(), 1), Chip(layout, Imperfections().splitter_error(0.1), 2),
      Chip(layout, Imperfections().loss_db(0.3), 3), Chip(layout, Imperfections().phase_error(0.1), 4)};
  const auto commanded = stack_commands(layout, at::kDouble, true);
  const auto x = at::randn({7, count, 6}, at::kComplexDouble);
  const auto y = ops::mzi_mesh(x, realise(chips, commanded), layout);
  for (int64_t c = 0; c < count; ++c) {
    const auto own = chips[c].realise(of_chip(commanded, c));
    expect_close(y.select(1, c), ops::mzi_mesh(x.select(1, c).contiguous(), own, layout), 2e-15);
  }
}

TEST_F(ChipStackTest, OneCommandServesAll) {
  const auto layout = universal(MeshGrid::rectangular, 6);
  const auto chips = some_chips(layout, Imperfections().phase_error(0.1).loss_db(0.1));
  const auto one = of_chip(stack_commands(layout, at::kDouble, true), 0);
  const auto stack = realise(chips, one);
  const auto each = realise(
      chips, {one.theta.repeat({count, 1}), one.phi.repeat({count, 1}), one.screen->repeat({count, 1})});
  EXPECT_TRUE(stack.theta.equal(each.theta));
  EXPECT_TRUE(stack.phi.equal(each.phi));
  EXPECT_TRUE(stack.screen->equal(*each.screen));
  EXPECT_TRUE(stack.transmission->equal(*each.transmission));
  EXPECT_FALSE(stack.splitter_error);
  EXPECT_FALSE(stack.theta[0].equal(stack.theta[1]));
}

TEST_F(ChipStackTest, WrongInputIsRejected) {
  const auto layout = universal(MeshGrid::rectangular, 6);
  const auto chips = some_chips(layout, Imperfections());
  const auto good = stack_commands(layout, at::kDouble, true);
  EXPECT_EQ(complaint([&] { realise(chips, good); }), "");
  expect_complaint({"realise", "chips"}, [&] { realise(std::vector<Chip>(), good); });
  auto mixed = chips;
  auto other = layout;
  other.phi_arm = PhiArm::input;
  mixed[2] = Chip(other, Imperfections(), 1);
  expect_complaint({"realise", "one layout", "number 2"}, [&] { realise(mixed, good); });
  const auto rejects = [&](const std::string& argument, const auto& spoil) {
    auto commanded = good;
    spoil(commanded);
    expect_complaint({"realise", argument}, [&] { realise(chips, commanded); });
  };
  rejects("theta", [](auto& t) { t.theta = at::Tensor(); });
  rejects("theta", [](auto& t) { t.theta = t.theta.narrow(0, 0, 3); });
  rejects("theta", [](auto& t) { t.theta = t.theta.to(at::kLong); });
  rejects("phi", [](auto& t) { t.phi = t.phi.narrow(1, 0, 6); });
  rejects("phi", [](auto& t) { t.phi = t.phi.unsqueeze(0); });
  rejects("screen", [](auto& t) { t.screen = t.theta; });
  rejects("screen", [](auto& t) { t.screen = at::Tensor(); });
}

}  // namespace
}  // namespace optotorch
