#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/chips/chip.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using testing::correlation;
using testing::expect_close;

const MeshLayout layout = universal(MeshGrid::rectangular, 64);  // 2016 MZIs
const Imperfections both = Imperfections().splitter_error(0.04).phase_error(0.06);

void expect_normal(const at::Tensor& values, double sigma, const std::string& what) {
  const double n = static_cast<double>(values.numel());
  EXPECT_NEAR(values.mean().item<double>(), 0, 4 * sigma / std::sqrt(n)) << what;
  EXPECT_NEAR(values.std().item<double>(), sigma, 4 * sigma / std::sqrt(2 * n)) << what;
  // 5 % of a normal distribution lie beyond 1.96 deviations.
  EXPECT_NEAR(values.abs().gt(1.96 * sigma).sum().item<double>() / n, 0.05, 4 * std::sqrt(0.05 / n)) << what;
}

TEST(ChipTest, ErrorsHaveTheirDeviationsAndNothingInCommon) {
  const auto tensors = Chip(layout, both, 7).tensors();
  const auto left = tensors.splitter_error.select(1, 0).contiguous(),
             right = tensors.splitter_error.select(1, 1).contiguous();
  expect_normal(left, 0.04, "e_l");
  expect_normal(right, 0.04, "e_r");
  expect_normal(tensors.theta_offset, 0.06, "theta");
  expect_normal(tensors.phi_offset, 0.06, "phi");
  const auto all = at::stack({left, right, tensors.theta_offset, tensors.phi_offset});
  for (int64_t a = 0; a < 4; ++a) {
    for (int64_t b = 0; b < a; ++b) {
      EXPECT_LE(std::abs(correlation(all[a], all[b])), 4 / std::sqrt(2016.0)) << a << " and " << b;
    }
    // Nor do neighbouring MZIs.
    EXPECT_LE(std::abs(correlation(all[a].narrow(0, 0, 2015), all[a].narrow(0, 1, 2015))),
              4 / std::sqrt(2015.0));
  }
  EXPECT_TRUE(tensors.transmission.equal(at::ones({2016, 2}, at::kDouble)));
}

TEST(ChipTest, ASeedIsAChip) {
  const auto one = Chip(layout, both, 7).tensors(), again = Chip(layout, both, 7).tensors();
  EXPECT_TRUE(one.theta_offset.equal(again.theta_offset));
  EXPECT_TRUE(one.phi_offset.equal(again.phi_offset));
  EXPECT_TRUE(one.splitter_error.equal(again.splitter_error));
  for (const int64_t seed : {8L, -7L, 7L + (1L << 32)}) {
    const auto other = Chip(layout, both, seed).tensors();
    EXPECT_LE(std::abs(correlation(one.theta_offset, other.theta_offset)), 4 / std::sqrt(2016.0)) << seed;
    EXPECT_LE(std::abs(correlation(one.splitter_error.flatten(), other.splitter_error.flatten())),
              4 / std::sqrt(4032.0))
        << seed;
  }
}

// By an independent Philox 4x32-10: the numbers of a seed are part of the interface.
TEST(ChipTest, TheNumbersOfASeedStay) {
  const auto tensors = Chip(layout, both, 7).tensors();
  EXPECT_NEAR(tensors.splitter_error[0][0].item<double>(), 1.1662705622443298e-05, 1e-15);
  EXPECT_NEAR(tensors.splitter_error[0][1].item<double>(), -0.012193879445482043, 1e-15);
  EXPECT_NEAR(tensors.theta_offset[2015].item<double>(), 0.011784687042411878, 1e-15);
  EXPECT_NEAR(tensors.phi_offset[2015].item<double>(), 0.03464303751705358, 1e-15);
  const Chip noisy(layout, Imperfections().relative_noise(0.5).additive_noise(0.25), 3);
  EXPECT_NEAR(noisy.read_out(at::full({1, 64}, 2.0, at::kDouble), 100)[0][5].item<double>(),
              2 * (1 - 0.5 * 0.2740302709579299) - 0.25 * 0.6067344116453969, 1e-14);
}

TEST(ChipTest, AnMzisErrorsDependOnItsNumberAndTheSeedAlone) {
  const auto small = Chip(universal(MeshGrid::triangular, 9), both, 7).tensors(),
             large = Chip(layout, both, 7).tensors();
  const int64_t mzis = small.theta_offset.numel();
  EXPECT_TRUE(small.theta_offset.equal(large.theta_offset.narrow(0, 0, mzis)));
  EXPECT_TRUE(small.splitter_error.equal(large.splitter_error.narrow(0, 0, mzis)));
  const auto doubled = Chip(layout, Imperfections().splitter_error(0.08).phase_error(0.12), 7).tensors();
  EXPECT_TRUE(doubled.phi_offset.equal(2 * large.phi_offset));
  EXPECT_TRUE(doubled.splitter_error.equal(2 * large.splitter_error));
  // Each of the two errors alone is the same as with the other.
  EXPECT_TRUE(
      Chip(layout, Imperfections().phase_error(0.06), 7).tensors().theta_offset.equal(large.theta_offset));
  EXPECT_TRUE(
      Chip(layout, Imperfections().phase_error(0.06), 7).tensors().splitter_error.eq(0).all().item<bool>());
}

TEST(ChipTest, SplitterErrorsAreClamped) {
  const auto e = Chip(layout, Imperfections().splitter_error(1), 7).tensors().splitter_error;
  EXPECT_EQ(e.max().item<double>(), 1);
  EXPECT_EQ(e.min().item<double>(), -1);
  EXPECT_NEAR(e.abs().eq(1).to(at::kDouble).mean().item<double>(), 0.317, 0.03);
}

TEST(ChipTest, NobodyChangesAChip) {
  const Chip chip(layout, both, 7);
  const auto before = chip.tensors();
  for (auto tensor : {chip.tensors().theta_offset, chip.tensors().splitter_error}) {
    tensor.zero_();
  }
  EXPECT_TRUE(chip.tensors().theta_offset.equal(before.theta_offset));
  auto given = chip.tensors();
  const Chip known(layout, given);
  given.phi_offset.zero_();
  given.transmission.zero_();
  EXPECT_TRUE(known.tensors().phi_offset.equal(before.phi_offset));
  EXPECT_TRUE(known.tensors().transmission.equal(before.transmission));
}

TEST(ChipTest, RealisesCommandsInTheirPrecision) {
  const Chip chip(layout, Imperfections(both).loss_db(0.5), 7);
  const auto tensors = chip.tensors();
  for (const auto type : {at::kFloat, at::kDouble}) {
    const ops::MeshTensors commanded{
        .theta = at::rand({2016}, type), .phi = at::rand({2016}, type), .screen = at::rand({64}, type)};
    const auto realised = chip.realise(commanded);
    EXPECT_TRUE(realised.theta.equal((commanded.theta.to(at::kDouble) + tensors.theta_offset).to(type)));
    EXPECT_TRUE(realised.phi.equal((commanded.phi.to(at::kDouble) + tensors.phi_offset).to(type)));
    EXPECT_TRUE(realised.screen->equal(*commanded.screen));
    EXPECT_TRUE(realised.splitter_error->equal(tensors.splitter_error.to(type)));
    // Half a decibel of power.
    expect_close(realised.transmission->square(), at::full({2016, 2}, 0.89125093813374556, type), 1e-6);
  }
  const auto ideal =
      Chip(layout, Imperfections(), 7)
          .realise({.theta = at::ones({2016}, at::kDouble), .phi = at::ones({2016}, at::kDouble)});
  EXPECT_TRUE(ideal.theta.equal(at::ones({2016}, at::kDouble)));
  EXPECT_FALSE(ideal.screen || ideal.splitter_error || ideal.transmission);
}

TEST(ChipTest, ReadingsAreNoisyAsStated) {
  const Chip chip(layout, Imperfections().relative_noise(0.05).additive_noise(0.02), 3);
  for (const double level : {0.0, 1.0, 10.0}) {
    const auto readings = chip.read_out(at::full({200, 64}, level, at::kDouble), 0);
    expect_normal(readings - level, std::hypot(0.05 * level, 0.02), c10::str("level ", level));
  }
  EXPECT_LT(chip.read_out(at::zeros({20, 64}), 0).min().item<double>(), 0);
  const auto silent = at::rand({3, 64});
  EXPECT_TRUE(Chip(layout, both, 3).read_out(silent, 5).equal(silent));
}

TEST(ChipTest, NoiseBelongsToTheSample) {
  const Chip chip(layout, Imperfections().relative_noise(0.05).additive_noise(0.02), 3);
  const auto intensity = at::rand({7, 64}, at::kDouble);
  const auto together = chip.read_out(intensity, 100);
  for (const int64_t cut : {1L, 4L}) {
    const auto parts = at::cat({chip.read_out(intensity.narrow(0, 0, cut), 100),
                                chip.read_out(intensity.narrow(0, cut, 7 - cut), 100 + cut)});
    EXPECT_TRUE(parts.equal(together));
  }
  EXPECT_FALSE(chip.read_out(intensity, 101).equal(together));
  EXPECT_FALSE(Chip(layout, chip.imperfections(), 4).read_out(intensity, 100).equal(together));
}

TEST(ChipTest, AChipOfKnownErrorsHasASeed) {
  const auto noise = Imperfections(both).relative_noise(0.05).additive_noise(0.02);
  const Chip drawn(layout, noise, 3), known(layout, drawn.tensors(), noise, 3);
  const auto intensity = at::rand({7, 64}, at::kDouble);
  EXPECT_EQ(known.seed(), 3);
  EXPECT_TRUE(known.read_out(intensity, 100).equal(drawn.read_out(intensity, 100)));
  EXPECT_FALSE(
      Chip(layout, drawn.tensors(), noise).read_out(intensity, 100).equal(drawn.read_out(intensity, 100)));
}

TEST(ChipTest, BadImperfectionsAreRejected) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const double bad : {-1e-9, nan, inf, 1e7}) {
    for (const auto& field : imperfection_fields()) {
      Imperfections imperfections;
      (imperfections.*field.value)() = bad;
      expect_complaint({"Chip", field.name, "0 to"}, [&] { Chip(layout, imperfections, 0); });
    }
  }
  for (const auto& field : imperfection_fields()) {
    Imperfections imperfections;
    (imperfections.*field.value)() = field.most;
    EXPECT_EQ(complaint([&] { Chip(layout, imperfections, 0); }), "");
    (imperfections.*field.value)() = std::nextafter(field.most, inf);
    expect_complaint({"Chip", field.name}, [&] { Chip(layout, imperfections, 0); });
  }
  for (const int64_t bad : {-1L, 25L, std::numeric_limits<int64_t>::max()}) {
    expect_complaint({"Chip", "phase_bits"}, [&] { Chip(layout, Imperfections().phase_bits(bad), 0); });
  }
  auto wrong = layout;
  wrong.ports = 1;
  expect_complaint({"Chip", "ports"}, [&] { Chip(wrong, both, 0); });
}

TEST(ChipTest, BadKnownErrorsAreRejected) {
  const auto good = Chip(layout, both, 7).tensors();
  const auto rejects = [&](const std::string& argument, const auto& spoil) {
    ChipTensors tensors = Chip(layout, both, 7).tensors();
    spoil(tensors);
    expect_complaint({"Chip", argument}, [&] { Chip(layout, tensors); });
  };
  rejects("theta_offset", [](auto& t) { t.theta_offset = t.theta_offset.narrow(0, 1, 2015); });
  rejects("theta_offset", [](auto& t) { t.theta_offset = at::Tensor(); });
  rejects("phi_offset", [](auto& t) { t.phi_offset = t.phi_offset.to(at::kFloat); });
  rejects("phi_offset", [](auto& t) { t.phi_offset[5] = std::nan(""); });
  rejects("splitter_error", [](auto& t) { t.splitter_error = t.splitter_error.t(); });
  rejects("splitter_error", [](auto& t) { t.splitter_error[3][1] = -1.01; });
  rejects("transmission", [](auto& t) { t.transmission[3][1] = 0; });
  rejects("transmission", [](auto& t) { t.transmission[3][1] = 1.01; });
  EXPECT_EQ(complaint([&] { Chip(layout, good); }), "");
  for (const auto& field : imperfection_fields()) {
    Imperfections imperfections;
    (imperfections.*field.value)() = -1;
    expect_complaint({"Chip", field.name}, [&] { Chip(layout, good, imperfections); });
  }
}

}  // namespace
}  // namespace optotorch
