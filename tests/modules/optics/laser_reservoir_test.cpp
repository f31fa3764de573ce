#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/laser_reservoir.h>
#include <optotorch/ops/random_projection.h>
#include <support/differences.h>
#include <support/errors.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using testing::central_differences;
using testing::expect_close;

constexpr int64_t few_inputs = 7, few_neurons = 5;

LaserReservoirOptions plan() {
  return LaserReservoirOptions(few_inputs, few_neurons).seed(4).fill(0.4).injection(0.6).saturation(1.7);
}

/// Entry (i, j) of T_0: what a single mirror sends.
c10::complex<double> entry(int64_t seed, int64_t i, int64_t j) {
  auto mirror = at::zeros({1, few_inputs});
  mirror[0][j] = 1;
  const auto field = ops::random_projection(mirror, 1, seed, ops::Entries::complex_normal, i);
  return static_cast<c10::complex<double>>(field[0][0].item<c10::complex<float>>());
}

/// The header's formula, entry by entry, for real u [batch, inputs].
at::Tensor slow_states(const LaserReservoirOptions& o, const at::Tensor& u) {
  auto x = at::zeros({u.size(0), few_neurons}, at::kDouble);
  const double scale = 1 / std::sqrt(o.fill() * few_inputs);
  for (int64_t b = 0; b < u.size(0); ++b) {
    for (int64_t i = 0; i < few_neurons; ++i) {
      c10::complex<double> e = 0;
      double squares = 0;
      for (int64_t k = 0; k < few_neurons; ++k) {
        const auto d = static_cast<double>(i - k);
        const double c = o.coupling();
        const double weight = i == k                                     ? 1
                              : c == 0 || std::abs(d) > std::ceil(3 * c) ? 0
                                                                         : std::exp(-d * d / (2 * c * c));
        squares += weight * weight;
        for (int64_t j = 0; weight > 0 && j < few_inputs; ++j) {
          e += weight * entry(o.seed(), k, j) * u[b][j].item<double>();
        }
      }
      e = e * scale / std::sqrt(squares) + o.injection();
      const double intensity =
          std::norm(static_cast<std::complex<double>>(e)) / (1 + o.injection() * o.injection());
      x[b][i] = intensity / (1 + intensity / o.saturation());
    }
  }
  return x;
}

at::Tensor binary_frames(int64_t batch, int64_t seed = 1, int64_t values = few_inputs) {
  torch::manual_seed(seed);
  return torch::rand({batch, values}, torch::kDouble);
}

LaserReservoir doubled(const LaserReservoirOptions& options) {
  LaserReservoir reservoir(options);
  reservoir->to(torch::kFloat64);
  return reservoir;
}

TEST(LaserReservoirTest, IsTheFormula) {
  const auto x = binary_frames(4);
  for (const double coupling : {0.0, 0.4, 1.3}) {
    const auto options = plan().coupling(coupling);
    expect_close(doubled(options)->forward(x), slow_states(options, (x > 0.5).to(at::kDouble)), 1e-6);
  }
}

TEST(LaserReservoirTest, StreamedIsStored) {
  const auto x = binary_frames(6);
  for (const auto& options : {plan(), plan().coupling(1.1), plan().coupling(1.1).drift(0.4).hours(3)}) {
    auto stored = doubled(options), streamed = doubled(LaserReservoirOptions(options).streamed(true));
    const auto a = stored->propagate(x), b = streamed->propagate(x);
    expect_close(b.output, a.output, 1e-6);
    const auto signal = torch::randn_like(a.output);
    expect_close(streamed->pullback(b, signal), stored->pullback(a, signal), 1e-6);
    LaserReservoir single(LaserReservoirOptions(options).streamed(true));
    expect_close(single->forward(x.to(at::kFloat)).to(at::kDouble), a.output, 1e-5);
  }
}

TEST(LaserReservoirTest, ThePullbackIsThatOfTheFrameItself) {
  auto u = (binary_frames(2) > 0.5).to(at::kDouble);
  for (const double coupling : {0.0, 0.9}) {
    const auto options = plan().coupling(coupling);
    auto reservoir = doubled(options);
    const auto pass = reservoir->propagate(u);
    const auto signal = torch::randn_like(pass.output);
    const auto expected =
        central_differences([&] { return (slow_states(options, u) * signal).sum().item<double>(); }, u);
    expect_close(reservoir->pullback(pass, signal), expected, 1e-6);
  }
}

TEST(LaserReservoirTest, SpeckleHasMeanOneAtItsFill) {
  LaserReservoir reservoir(LaserReservoirOptions(400, 3000).fill(0.25).saturation(1e6));
  const auto x = (at::arange(400) < 100).to(at::kFloat).unsqueeze(0);
  const auto i = reservoir->forward(x);
  EXPECT_NEAR(i.mean().item<double>(), 1, 0.06);
  EXPECT_NEAR(i.std().item<double>(), 1, 0.1);  // exponential
}

TEST(LaserReservoirTest, DriftIsAFunctionOfTheHour) {
  const auto options = LaserReservoirOptions(300, 200).drift(0.3).saturation(1e6);
  const auto x = (binary_frames(40, 2, 300) > 0.5).to(at::kFloat);
  LaserReservoir reservoir(options), other(LaserReservoirOptions(options).hours(7));
  const auto at_start = reservoir->transmission.clone();
  LaserReservoir still(LaserReservoirOptions(options).drift(0));
  EXPECT_TRUE(still->transmission.equal(at_start));
  reservoir->set_hours(7);
  EXPECT_TRUE(reservoir->transmission.equal(other->transmission));
  const auto correlation = [](const at::Tensor& a, const at::Tensor& b) {
    return ((a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()).item<double>();
  };
  EXPECT_NEAR(correlation(reservoir->transmission, at_start), std::sqrt(1 - 0.09), 0.01);
  const auto at_seven = reservoir->transmission.clone();
  reservoir->set_hours(8);
  EXPECT_NEAR(correlation(reservoir->transmission, at_seven), 1 - 0.09, 0.01);
  reservoir->set_hours(0);
  EXPECT_TRUE(reservoir->transmission.equal(at_start));
  // What an evaluation kept is not what it reads later.
  reservoir->eval();
  const auto before = reservoir->forward(x);
  reservoir->set_hours(7);
  EXPECT_FALSE(reservoir->forward(x).equal(before));
}

TEST(LaserReservoirTest, NoiseIsDrawnInTrainingAndCounted) {
  const auto options = LaserReservoirOptions(50, 400).noise(0.2).seed(3);
  LaserReservoir reservoir(options);
  const auto x = binary_frames(60, 2, 50).to(at::kFloat);
  const auto first = reservoir->forward(x), second = reservoir->forward(x);
  EXPECT_EQ(reservoir->readings.item<int64_t>(), 2);
  reservoir->eval();
  const auto ideal = reservoir->forward(x);
  EXPECT_EQ(reservoir->readings.item<int64_t>(), 2);
  EXPECT_NEAR((first - ideal).std().item<double>(), 0.2, 0.005);
  EXPECT_NEAR((first - ideal).mean().item<double>(), 0, 0.005);
  EXPECT_NEAR((first - second).std().item<double>(), 0.2 * std::sqrt(2), 0.01);
  LaserReservoir again(options);
  EXPECT_TRUE(again->forward(x).equal(first));
  again->to(torch::kFloat64);
  EXPECT_EQ(again->readings.scalar_type(), torch::kInt64);
  EXPECT_EQ(again->readings.item<int64_t>(), 1);
}

TEST(LaserReservoirTest, WrongOptionsAndInputAreRejected) {
  EXPECT_SAYS(LaserReservoir(0, 5), "inputs, neurons");
  EXPECT_SAYS(LaserReservoir(5, -1), "inputs, neurons");
  EXPECT_SAYS(LaserReservoir(plan().saturation(0)), "saturation");
  EXPECT_SAYS(LaserReservoir(plan().saturation(-1)), "saturation");
  EXPECT_SAYS(LaserReservoir(plan().saturation(std::nan(""))), "saturation");
  EXPECT_SAYS(LaserReservoir(plan().fill(0)), "fill");
  EXPECT_SAYS(LaserReservoir(plan().injection(-0.1)), "injection");
  EXPECT_SAYS(LaserReservoir(plan().coupling(-1)), "coupling");
  EXPECT_SAYS(LaserReservoir(plan().drift(1.1)), "drift");
  EXPECT_SAYS(LaserReservoir(plan().noise(-1)), "noise");
  EXPECT_SAYS(LaserReservoir(plan().threshold(std::numeric_limits<double>::infinity())), "threshold");
  EXPECT_SAYS(LaserReservoir(LaserReservoirOptions(1 << 20, 1 << 20)), "streamed");
  LaserReservoir reservoir(plan());
  const auto before = reservoir->transmission.clone();
  EXPECT_SAYS(reservoir->set_hours(-1), "hours");
  EXPECT_SAYS(reservoir->set_hours(std::nan("")), "hours");
  auto x = binary_frames(3).to(at::kFloat);
  x[1][2] = std::nanf("");
  EXPECT_SAYS(reservoir->forward(x), "input");
  EXPECT_SAYS(reservoir->forward(binary_frames(3)), "float64");
  EXPECT_TRUE(reservoir->transmission.equal(before));
  EXPECT_SAYS(LaserReservoir(plan().streamed(true))->deploy(), "streamed");
}

}  // namespace
}  // namespace optotorch
