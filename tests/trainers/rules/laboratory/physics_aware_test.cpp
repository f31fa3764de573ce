// Physics-aware training: the measured output, the error-free model's slopes.

#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <support/differences.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>

namespace optotorch::testing::laboratories {
namespace {

using testing::expect_close;

class PhysicsAwareTest : public OneThreadTest {
 protected:
  PhysicsAwareTest() { torch::manual_seed(23); }

  struct Update {
    torch::Tensor output, loss;
    std::vector<torch::Tensor> gradients;
  };

  template <typename AnyRule>
  static Update update(AnyRule rule, Hybrid& net, const torch::Tensor& x, const torch::Tensor& target) {
    net->zero_grad();
    const auto result = rule.step(*net, x, target, cross_entropy);
    return {result.output, result.loss, gradients(*net)};
  }

  static void expect_equal_updates(const Update& a, const Update& b, const std::string& what) {
    EXPECT_TRUE(a.output.equal(b.output)) << what;
    EXPECT_TRUE(a.loss.equal(b.loss)) << what;
    ASSERT_EQ(a.gradients.size(), b.gradients.size());
    for (size_t i = 0; i < a.gradients.size(); ++i) {
      EXPECT_TRUE(a.gradients[i].equal(b.gradients[i])) << what << ", " << i;
    }
  }
};

TEST_F(PhysicsAwareTest, WithoutCorrectionsItIsBackPropagationThroughTheLayer) {
  for (const bool internal_states : {true, false}) {
    for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
      auto network = network_of(simulated(), fusion, internal_states);
      Hybrid net(network);
      const auto x = fields();
      const auto target = targets();
      const auto found = update(PhysicsAware(), net, x, target);
      EXPECT_EQ(network->system()->measurements(), batch);
      EXPECT_TRUE(found.output.equal(network->measure(x).output));
      expect_equal_updates(found, update(BackPropagation(), net, x, target),
                           internal_states ? "layer-wise" : "output only");
    }
  }
}

// Whatever the corrections know, and whoever used them before.
TEST_F(PhysicsAwareTest, IgnoresCorrections) {
  auto network = network_of(simulated());
  Hybrid net(network);
  const auto x = fields();
  const auto target = targets();
  const auto plain = update(PhysicsAware(), net, x, target);
  correct_exactly(*network);
  const auto before = parameters_by_name(*network->corrections()[0]);
  for (int i = 0; i < 2; ++i) {
    const auto corrected = update(PhysicsAware(), net, x, target);
    EXPECT_TRUE(corrected.output.equal(plain.output));
    for (size_t k = 0; k < plain.gradients.size(); ++k) {
      expect_close(corrected.gradients[k], plain.gradients[k], 1e-12, std::to_string(k));
    }
    network->strength = 1;
  }
  expect_equal(parameters_by_name(*network->corrections()[0]), before);
  // They would have made a difference.
  const auto by_model = update(BackPropagation(), net, x, target);
  EXPECT_GT(testing::relative_distance(by_model.gradients[0], plain.gradients[0]), 1e-3);
}

// While the corrections of dual adaptive training warm up, its task step is physics-aware.
TEST_F(PhysicsAwareTest, IsTheWarmUpOfDualAdaptiveTraining) {
  for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
    auto network = network_of(simulated(), fusion);
    correct_exactly(*network);
    Hybrid net(network);
    const auto x = fields();
    const auto target = targets();
    const auto dual = update(DualAdaptive(DualAdaptiveOptions().warm_up_steps(1)), net, x, target);
    expect_equal_updates(update(PhysicsAware(), net, x, target), dual, "");
  }
}

TEST_F(PhysicsAwareTest, HasNoStateAndNeedsALaboratory) {
  PhysicsAware rule;
  EXPECT_TRUE(rule.state().empty());
  MziMesh mesh(ports);
  mesh->to(torch::kFloat64);
  Hybrid elsewhere(mesh, Photodetector());
  expect_complaint({"pat", "model", "one PhysicalNetwork", "got none"},
                   [&] { rule.step(*elsewhere, fields(), targets(), cross_entropy); });
}

}  // namespace
}  // namespace optotorch::testing::laboratories
