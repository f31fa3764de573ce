// Corrections that are fitted once know the chip, at phases that nobody measured, too.

#include <optotorch/trainers/rules/laboratory/identify.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/stages.h>

#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace optotorch::testing::laboratories {
namespace {

/// Random fields; fails at the batch `failing` of the first epoch.
class RandomLight : public BatchSource {
 public:
  RandomLight(int64_t of_ports, int64_t batches, int64_t samples, int64_t failing = -1)
      : ports_(of_ports), batches_(batches), samples_(samples), failing_(failing) {}
  int64_t size() const override { return batches_; }
  Batch batch(int64_t epoch, int64_t index) const override {
    asked.emplace_back(epoch, index);
    if (epoch == 0 && index == failing_) {
      throw std::runtime_error("no light");
    }
    const auto numbers = generator(static_cast<uint64_t>(1000 * epoch + index));
    return {torch::randn({samples_, ports_}, numbers, torch::kComplexDouble), {}};
  }

  mutable std::vector<std::pair<int64_t, int64_t>> asked;

 private:
  int64_t ports_, batches_, samples_, failing_;
};

class IdentifyTest : public OneThreadTest {
 protected:
  IdentifyTest() { torch::manual_seed(31); }

  /// A chip of splitter and phase errors .1.
  static PhysicalNetwork laboratory(int64_t of_ports, bool monitors = true) {
    auto network = network_of(std::make_shared<SimulatedSystem>(
        chips(of_ports, Imperfections().splitter_error(0.1).phase_error(0.1)),
        SimulatedSystemOptions().activation(activation()).monitors(monitors)));
    correct(*network);
    return network;
  }

  /// || |S|^2 - I || / || I || of light and phases that were not there before, by a model of this strength.
  static double error(PhysicalNetworkImpl& network, double strength) {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(77);
    const auto before = parameters_by_name(network);
    double worst = 0;
    for (int i = 0; i < 3; ++i) {
      for (auto& phases : network.parameters()) {
        phases.uniform_(-pi, pi);
      }
      const auto x = fields(20, ports_of(*network.system()));
      const auto measured = network.measure(x).output;
      network.strength = strength;
      const auto s = network.model(x, nullptr).back().prediction.s;
      worst = std::max(worst, ((s.abs().square() - measured).norm() / measured.norm()).item<double>());
    }
    for (auto& item : network.named_parameters()) {
      item.value().copy_(before.at(item.key()));
    }
    return worst;
  }

  static Tensors corrections_of(const PhysicalNetworkImpl& network) {
    Tensors all;
    for (size_t n = 0; n < network.corrections().size(); ++n) {
      for (const auto& [name, tensor] : parameters_by_name(*network.corrections()[n])) {
        all[c10::str(n, ".", name)] = tensor;
      }
    }
    return all;
  }
};

TEST_F(IdentifyTest, PredictsTheChipAtOtherPhases) {
  for (const int64_t of_ports : {6, 8}) {
    auto network = laboratory(of_ports);
    const auto phases = parameters_by_name(*network);
    const double before = error(*network, 1);
    EXPECT_NEAR(before, error(*network, 0), 1e-9);  // fresh corrections change nothing
    const int64_t spent = network->system()->measurements();
    const RandomLight light(of_ports, 50, 32);
    const auto losses = identify(*network, light, IdentifyOptions().batches(250).jitter(1));
    ASSERT_EQ(losses.size(), 250U);
    EXPECT_LT(losses.back(), 1e-2 * losses.front());
    expect_equal(parameters_by_name(*network), phases, "phases");
    EXPECT_EQ(network->system()->measurements() - spent, 250 * 32);
    ASSERT_EQ(light.asked.size(), 250U);
    for (int64_t k = 0; k < 250; ++k) {
      EXPECT_EQ(light.asked[static_cast<size_t>(k)], std::pair(k / 50, k % 50));
    }
    const double after = error(*network, 1);
    std::printf("%d ports: error %.3f, identified %.4f\n", static_cast<int>(of_ports), before, after);
    EXPECT_GT(before, 0.1);
    EXPECT_LT(after, 0.1 * before);
    EXPECT_NEAR(error(*network, 0), before, 1e-9);
    // One setting of the phases tells less of the others.
    correct(*network);
    identify(*network, light, IdentifyOptions().batches(250).jitter(0));
    EXPECT_GT(error(*network, 1), 3 * after);
  }
}

// The offsets of every batch are what the promise says: P + jitter xi, of the seed.
TEST_F(IdentifyTest, IsAFunctionOfItsSeed) {
  const auto run = [](int64_t seed, double jitter) {
    torch::manual_seed(1);
    auto network = laboratory(ports);
    auto result = corrections_of(*network);
    const auto losses =
        identify(*network, RandomLight(ports, 4, 6), IdentifyOptions().batches(6).seed(seed).jitter(jitter));
    result = corrections_of(*network);
    result["losses"] = torch::tensor(losses);
    return result;
  };
  const auto once = run(0, 0.3);
  torch::rand({3});  // LibTorch's generator has no say
  expect_equal(run(0, 0.3), once, "again");
  EXPECT_FALSE(run(1, 0.3).at("losses").equal(once.at("losses")));
  const auto still = run(0, 0), still_by_another_seed = run(1, 0);
  expect_equal(still, still_by_another_seed, "without jitter");
  EXPECT_FALSE(still.at("losses").equal(once.at("losses")));
}

TEST_F(IdentifyTest, ClearsPhasesInTheFirstTwoThirds) {
  const auto losses = [](double cleared, bool is_cleared_before) {
    torch::manual_seed(1);
    auto network = laboratory(ports);
    if (is_cleared_before) {
      const torch::NoGradGuard no_grad;
      for (auto& phases : network->parameters()) {
        phases.zero_();
      }
    }
    const auto before = parameters_by_name(*network);
    const auto all = identify(*network, RandomLight(ports, 4, 6),
                              IdentifyOptions().batches(9).jitter(0).cleared(cleared).rate(1e-12));
    expect_equal(parameters_by_name(*network), before, "phases");
    return all;
  };
  const auto cleared = losses(1, false), glass = losses(0, true), usual = losses(0, false);
  EXPECT_NEAR(cleared.front(), glass.front(), 1e-9);
  EXPECT_GT(std::abs(cleared.front() - usual.front()), 1e-6);
  for (size_t k = 6; k < 9; ++k) {
    EXPECT_NEAR(cleared[k], usual[k], 1e-9) << k;
  }
}

TEST_F(IdentifyTest, EveryBatchIsMeasuredAtPhasesOfItsOwn) {
  auto network = laboratory(ports);
  identify(*network, RandomLight(ports, 3, 4), IdentifyOptions().batches(7));
  EXPECT_EQ(network->system()->commands(), 7);
  EXPECT_EQ(network->system()->measurements(), 28);
  identify(*network, RandomLight(ports, 3, 4), IdentifyOptions().batches(7).jitter(0));
  EXPECT_EQ(network->system()->commands(), 8);  // the same phases are not sent again
}

TEST_F(IdentifyTest, WorksWithTheOutputAlone) {
  auto network = laboratory(ports, /*monitors=*/false);
  const double before = error(*network, 1);
  const auto losses = identify(*network, RandomLight(ports, 50, 32),
                               IdentifyOptions().batches(150).similarity(Similarity::output));
  EXPECT_LT(losses.back(), 0.3 * losses.front());
  EXPECT_LT(error(*network, 1), 0.7 * before);
}

// Whatever a caller did with the strength: identify fits the whole correction.
TEST_F(IdentifyTest, StartsFromAnyStrength) {
  const auto after = [](double strength) {
    torch::manual_seed(1);
    auto network = laboratory(ports);
    network->strength = strength;
    identify(*network, RandomLight(ports, 4, 6), IdentifyOptions().batches(3));
    return corrections_of(*network);
  };
  expect_equal(after(0), after(1));
}

TEST_F(IdentifyTest, PhasesAreBackWhenItThrows) {
  auto network = laboratory(ports);
  const auto phases = parameters_by_name(*network);
  const RandomLight fails(ports, 5, 4, /*failing=*/3);
  EXPECT_THROW(identify(*network, fails, IdentifyOptions().batches(10)), std::runtime_error);
  EXPECT_EQ(network->system()->measurements(), 12);
  expect_equal(parameters_by_name(*network), phases, "light fails");
  EXPECT_NE(complaint([&] { identify(*network, RandomLight(ports + 1, 5, 4)); }), "");
  expect_equal(parameters_by_name(*network), phases, "light of other ports");
  auto without_monitors = laboratory(ports, false);
  const auto others = parameters_by_name(*without_monitors);
  expect_complaint({"identify", "monitors", "Similarity::output"},
                   [&] { identify(*without_monitors, RandomLight(ports, 5, 4)); });
  expect_equal(parameters_by_name(*without_monitors), others, "no monitors");
}

TEST_F(IdentifyTest, WrongOptionsAreRejectedBeforeAnythingIsMeasured) {
  auto network = laboratory(ports);
  const auto before = corrections_of(*network);
  const RandomLight light(ports, 5, 4), none(ports, 0, 4);
  const auto rejects = [&](const std::string& option, const IdentifyOptions& options) {
    expect_complaint({"identify", option}, [&] { identify(*network, light, options); });
  };
  for (const int64_t bad : {0, -1}) {
    rejects("batches", IdentifyOptions().batches(bad));
  }
  for (const double bad : {-0.1, 101.0, std::nan(""), HUGE_VAL}) {
    rejects("jitter", IdentifyOptions().jitter(bad));
  }
  for (const double bad : {-0.1, 1.1, std::nan("")}) {
    rejects("cleared", IdentifyOptions().cleared(bad));
  }
  for (const double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    rejects("rate", IdentifyOptions().rate(bad));
  }
  expect_complaint({"identify", "light"}, [&] { identify(*network, none); });
  EXPECT_EQ(network->system()->measurements(), 0);
  expect_equal(corrections_of(*network), before);
  auto plain = network_of(simulated());
  expect_complaint({"identify", "network", "set_corrections"}, [&] { identify(*plain, light); });
  EXPECT_EQ(plain->system()->measurements(), 0);
}

}  // namespace
}  // namespace optotorch::testing::laboratories
