// Dual adaptive training, step by step against the published algorithm written out with autograd.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <support/differences.h>
#include <support/dual_adaptive.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace optotorch::testing::laboratories {
namespace {

using testing::CorrectionCase;
using testing::expect_close;
using testing::learners;
using testing::Parameters;
using testing::SlowNetwork;

/// One step after the other of the published algorithm, for intensities that somebody measured.
class SlowRule {
 public:
  SlowRule(SlowNetwork network_, DualAdaptiveOptions options, Fusion fusion)
      : network(std::move(network_)), options_(std::move(options)), fusion_(fusion) {}

  void step(const torch::Tensor& x, const std::vector<torch::Tensor>& behind, const torch::Tensor& target) {
    const bool separable = options_.similarity() == Similarity::separable;
    const auto states = network.states(x, separable ? &behind : nullptr);
    auto loss = torch::zeros({}, torch::kFloat64);
    for (size_t n = 0; n < meshes; ++n) {
      const bool last = n + 1 == meshes;
      if (!last && options_.similarity() == Similarity::output) {
        continue;
      }
      const int64_t compared = last && options_.compared_ports() > 0 ? options_.compared_ports() : ports;
      loss = loss +
             torch::nn::functional::mse_loss(testing::unit(states[n].abs().square()).narrow(1, 0, compared),
                                             testing::unit(behind[n]).narrow(1, 0, compared));
    }
    similarity_loss = loss.item<double>();
    similarity_gradients = network.gradients(loss);
    const double rate = options_.rate() * options_.schedule()(steps_, options_.steps());
    for (auto& [name, leaf] : network.leaves) {
      if (name.starts_with("correction.")) {
        adam(name, similarity_gradients.at(name), rate);
        if (name.ends_with("splitter_error")) {
          leaf.data().clamp_(-0.5, 0.5);
        }
        if (name.ends_with("matrix")) {
          turn_rows(leaf.data());
        }
      }
    }
    const bool warm = steps_ < options_.calibration_steps() + options_.warm_up_steps();
    const auto f = network.fused(x, behind, fusion_, warm ? 0 : 1);
    const auto gradients = network.gradients(cross_entropy(f.abs().square(), target));
    if (steps_++ < options_.calibration_steps()) {
      return;
    }
    for (auto& [name, leaf] : network.leaves) {
      if (!name.starts_with("correction.")) {
        auto gradient = gradients.at(name);
        if (options_.similarity_to_phases() > 0 && similarity_gradients.at(name).defined()) {
          gradient = gradient + options_.similarity_to_phases() * similarity_gradients.at(name);
        }
        adam(name, gradient, phase_rate);
      }
    }
  }

  SlowNetwork network;
  double similarity_loss = 0;
  Parameters similarity_gradients;

 private:
  /// One step of Adam as its paper writes it. What has no gradient stays.
  void adam(const std::string& name, const torch::Tensor& g, double rate) {
    if (!g.defined()) {
      return;
    }
    auto& [t, m, v] = moments_[name];
    m = t == 0 ? 0.1 * g : 0.9 * m + 0.1 * g;
    const double beta2 = name.starts_with("correction.") ? options_.beta2() : 0.999;
    v = t == 0 ? (1 - beta2) * g * g : beta2 * v + (1 - beta2) * g * g;
    ++t;
    const auto m_hat = m / (1 - std::pow(0.9, t)), v_hat = v / (1 - std::pow(beta2, t));
    network.leaves.at(name).data().sub_(rate * m_hat / (v_hat.sqrt() + 1e-8));
  }

  /// The diagonal of I + C becomes real and positive.
  static void turn_rows(torch::Tensor matrix) {
    auto c = at::view_as_complex(matrix);
    for (int64_t i = 0; i < c.size(0); ++i) {
      const auto one = torch::zeros_like(c[i]);
      one[i] = 1;
      const auto row = c[i] + one;
      c[i] = row * at::polar(torch::ones({}, torch::kFloat64), -row[i].angle()) - one;
    }
  }

  struct Moments {
    int t = 0;
    torch::Tensor m, v;
  };

  DualAdaptiveOptions options_;
  Fusion fusion_;
  std::map<std::string, Moments> moments_;
  int64_t steps_ = 0;
};

class DualAdaptiveStepsTest : public OneThreadTest {
 protected:
  DualAdaptiveStepsTest() { torch::manual_seed(7); }

  /// Four steps of the rule and of the slow one, on two systems of the same chips.
  static void expect_published_steps(const CorrectionCase& row, const DualAdaptiveOptions& options,
                                     Fusion fusion, bool monitors = true, bool internal_states = true) {
    auto network = corrected_network(simulated(monitors), row, fusion, internal_states);
    Hybrid net(network);
    const auto system = simulated(monitors);
    SlowRule slow(SlowNetwork(*network, row, electro_optics()), options, fusion);
    DualAdaptive rule(options);
    torch::optim::Adam optimizer(network->parameters(), torch::optim::AdamOptions(phase_rate));
    for (int step = 0; step < 4; ++step) {
      const auto x = fields();
      const auto target = targets();
      std::vector<MeshPhases> phases;
      for (size_t n = 0; n < meshes; ++n) {
        phases.push_back({slow.network.leaves.at(c10::str(n, ".theta")),
                          slow.network.leaves.at(c10::str(n, ".phi")),
                          slow.network.leaves.at(c10::str(n, ".gamma"))});
      }
      system->set_phases(phases);
      slow.step(x, system->measure(x).behind, target);
      optimizer.zero_grad();
      rule.step(*net, x, target, cross_entropy);
      optimizer.step();
      EXPECT_NEAR(rule.similarity_loss(), slow.similarity_loss, 1e-10 * slow.similarity_loss) << step;
      for (const auto& [name, parameter] : learners(*network)) {
        expect_close(parameter, slow.network.leaves.at(name).detach(), 1e-8, c10::str(step, " ", name));
        if (name.starts_with("correction.")) {
          EXPECT_TRUE(at::allclose(parameter.grad(), slow.similarity_gradients.at(name), 1e-8, 1e-12))
              << step << " " << name;
        }
      }
    }
  }
};

TEST_F(DualAdaptiveStepsTest, StepsAreThePublishedOnes) {
  for (const auto& row : {testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
                          testing::white_box_case("WhiteBox", true)}) {
    for (const auto similarity : {Similarity::output, Similarity::unitary, Similarity::separable}) {
      for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
        for (const double to_phases : {0.0, 1.0}) {
          SCOPED_TRACE(c10::str(row.name, " ", name_of(similarity), " ",
                                fusion == Fusion::in_place ? "in place" : "propagate", " ", to_phases));
          expect_published_steps(
              row, DualAdaptiveOptions().similarity(similarity).similarity_to_phases(to_phases), fusion);
        }
      }
    }
  }
}

TEST_F(DualAdaptiveStepsTest, StepsHoldWithEveryOption) {
  const auto row = testing::white_box_case("WhiteBox", true);
  const auto options = DualAdaptiveOptions().rate(3e-2).beta2(0.9).steps(5).schedule(cosine_schedule());
  for (const auto similarity : {Similarity::output, Similarity::unitary, Similarity::separable}) {
    for (const int64_t compared : {1, 4, 6}) {
      SCOPED_TRACE(c10::str(name_of(similarity), " ", compared));
      expect_published_steps(row,
                             DualAdaptiveOptions(options).similarity(similarity).compared_ports(compared),
                             Fusion::propagate);
    }
    for (const double to_phases : {0.0, 0.5}) {
      SCOPED_TRACE(c10::str(name_of(similarity), ", calibration and warm-up, ", to_phases));
      const auto begins = DualAdaptiveOptions(options)
                              .similarity(similarity)
                              .similarity_to_phases(to_phases)
                              .calibration_steps(1)
                              .warm_up_steps(2);
      expect_published_steps(row, begins, Fusion::propagate);
      expect_published_steps(row, begins, Fusion::in_place);
    }
  }
  SCOPED_TRACE("without monitors");
  expect_published_steps(row, DualAdaptiveOptions(options).similarity(Similarity::output), Fusion::propagate,
                         /*monitors=*/false);
}

// A network that takes no internal states for its own pull-back may still compare them.
TEST_F(DualAdaptiveStepsTest, SeparableStartsFromMeasuredStatesInAnyCase) {
  const auto row = testing::linear_case();
  const auto step = [&](bool internal_states, Fusion fusion) {
    torch::manual_seed(2);
    auto network = corrected_network(simulated(), row, fusion, internal_states);
    Hybrid net(network);
    DualAdaptive rule(DualAdaptiveOptions().similarity(Similarity::separable));
    rule.step(*net, fields(), targets(), cross_entropy);
    Parameters corrections;
    for (const auto& [name, parameter] : learners(*network)) {
      if (name.starts_with("correction.")) {
        corrections[name] = parameter;
      }
    }
    corrections["loss"] = torch::tensor(rule.similarity_loss());
    return corrections;
  };
  const auto expected = step(true, Fusion::propagate);
  expect_equal(step(true, Fusion::in_place), expected, "in place");
  expect_equal(step(false, Fusion::propagate), expected, "no internal states");
}

}  // namespace
}  // namespace optotorch::testing::laboratories
