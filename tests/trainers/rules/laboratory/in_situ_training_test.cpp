// Rules on a physical system: what they ask of it, and that they teach a chip whose errors nobody knows.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/random_matrix.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/schedule.h>
#include <support/differences.h>
#include <support/losses.h>
#include <support/mesh_cases.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

#include <cstdio>
#include <string>

namespace optotorch {
namespace {

using testing::class_loss;

std::shared_ptr<PhysicalSystem> chip(const MziMeshOptions& mesh, const Imperfections& imperfections,
                                     int64_t seed) {
  return std::make_shared<SimulatedSystem>(Chip(mesh.layout(), imperfections, seed));
}

std::shared_ptr<Layer> electronic(const torch::nn::Linear& linear) {
  return std::make_shared<ElectronicBlock>(torch::nn::AnyModule(linear));
}

Hybrid numerical(int64_t window, int64_t classes) {
  Hybrid net;
  net->push_back("lens", std::make_shared<FourierLensImpl>(window));
  net->push_back("mesh", std::make_shared<MziMeshImpl>(window * window));
  net->push_back("detector",
                 std::make_shared<PhotodetectorImpl>(PhotodetectorOptions().detection(Detection::amplitude)));
  net->push_back("head", electronic(torch::nn::Linear(window * window, classes)));
  return net;
}

Hybrid in_situ_network(const std::shared_ptr<PhysicalSystem>& system, int64_t window, int64_t classes) {
  Hybrid net;
  net->push_back("lens", std::make_shared<FourierLensImpl>(window));
  net->push_back("mesh", std::make_shared<PhysicalNetworkImpl>(system, window * window));
  net->push_back("head", electronic(torch::nn::Linear(window * window, classes)));
  return net;
}

/// Direct transfer: the phases are commanded, every other parameter goes to that of its name.
void transfer(HybridImpl& from, Hybrid& to) {
  const torch::NoGradGuard no_grad;
  auto& network = dynamic_cast<PhysicalNetworkImpl&>(to->layer(1));
  network.copy_commands({&dynamic_cast<MziMeshImpl&>(from.layer(1))});
  for (const auto* const name : {"head.weight", "head.bias"}) {
    to->named_parameters()[name].copy_(from.named_parameters()[name]);
  }
}

/// The numerical network's name of a laboratory's parameter: "mesh.theta" of "mesh.0.theta".
std::string numerical_name(std::string name) {
  const std::string of_first_mesh = "mesh.0.";
  return name.starts_with(of_first_mesh) ? name.replace(0, of_first_mesh.size(), "mesh.") : name;
}

class InSituTrainingTest : public OneThreadTest {};

// On a perfect chip every rule takes the very steps that it takes with MziMesh and Photodetector.
TEST_F(InSituTrainingTest, OnAPerfectChipTheRulesTakeTheSameSteps) {
  const std::vector<std::function<std::unique_ptr<Rule>()>> rules = {
      [] { return std::make_unique<BackPropagation>(); }, [] { return std::make_unique<Shallow>(); },
      [] { return std::make_unique<TwoPassForward>(); },
      [] {
        return std::make_unique<TwoPassForward>(
            TwoPassForwardOptions().presynaptic(Presynaptic::clean).strength(0.1).seed(3));
      }};
  for (const auto& make : rules) {
    torch::manual_seed(2);
    Hybrid model = numerical(3, 4);
    Hybrid lab = in_situ_network(chip(9, Imperfections(), 1), 3, 4);
    model->to(torch::kFloat64);
    lab->to(torch::kFloat64);
    transfer(*model, lab);
    const auto rule = make(), rule_in_lab = make();
    torch::optim::Adam step(model->parameters(), torch::optim::AdamOptions(1e-2)),
        step_in_lab(lab->parameters(), torch::optim::AdamOptions(1e-2));
    for (int i = 0; i < 5; ++i) {
      const auto x = torch::rand({8, 1, 6, 6}, torch::kFloat64);
      const auto target = torch::randint(4, {8});
      step.zero_grad();
      step_in_lab.zero_grad();
      const auto result = rule->step(*model, x, target, class_loss);
      const auto result_in_lab = rule_in_lab->step(*lab, x, target, class_loss);
      testing::expect_close(result_in_lab.output, result.output, 1e-12, rule->name());
      const auto expected = model->named_parameters();
      for (const auto& item : lab->named_parameters()) {
        const auto &grad = item.value().grad(), &other = expected[numerical_name(item.key())].grad();
        ASSERT_EQ(grad.defined(), other.defined()) << item.key();
        if (grad.defined() && i == 0) {
          testing::expect_close(grad, other, 1e-12, rule->name() + " " + item.key());
        }
      }
      step.step();
      step_in_lab.step();
      for (const auto& item : lab->named_parameters()) {
        testing::expect_close(item.value(), expected[numerical_name(item.key())], 1e-10,
                              rule->name() + " " + item.key());
      }
    }
  }
}

// A step of two-pass forward propagation measures two passes, whatever it updates; a command a step.
TEST_F(InSituTrainingTest, TwoPassStepsMeasureTwice) {
  torch::manual_seed(2);
  const auto system = chip(9, Imperfections().phase_error(0.1), 1);
  Hybrid lab = in_situ_network(system, 3, 4);
  TwoPassForward rule(TwoPassForwardOptions().presynaptic(Presynaptic::clean).strength(0.1));
  torch::optim::Adam optimizer(lab->parameters(), torch::optim::AdamOptions(1e-2));
  for (int64_t i = 1; i <= 3; ++i) {
    optimizer.zero_grad();
    rule.step(*lab, torch::rand({8, 1, 6, 6}), torch::randint(4, {8}), class_loss);
    optimizer.step();
    EXPECT_EQ(system->measurements(), 16 * i);
    EXPECT_EQ(system->commands(), i);
  }
}

/// MNIST's subset in data/ on a mesh of 100 ports.
class InSituTrainingMnistTest : public InSituTrainingTest {
 protected:
  static constexpr int64_t window = 10, ports = window * window, classes = 10;

  /// What happens before every step.
  using Before = std::function<void(int64_t step)>;

  static void fit(
      Hybrid& net, Rule& rule, const Before& before = [](int64_t) {}) {
    const ImageBatches train(MNIST(OPTOTORCH_SOURCE_DIR "/data"),
                             ImageBatchesOptions(32).shuffle(true).seed(1));
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(rate));
    const auto schedule = cosine_schedule(20);
    int64_t step = 0;
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
      for (const auto& [data, target] : train.epoch(epoch)) {
        before(step);
        static_cast<torch::optim::AdamOptions&>(optimizer.param_groups()[0].options())
            .lr(rate * schedule(step, epochs * train.size()));
        optimizer.zero_grad();
        rule.step(*net, data, target, class_loss);
        optimizer.step();
        ++step;
      }
    }
  }

  static double test_accuracy(Hybrid& net) {
    const ImageBatches test(MNIST(OPTOTORCH_SOURCE_DIR "/data", MNIST::Mode::test), ImageBatchesOptions(500));
    return evaluate(*net, test);
  }

  static constexpr double rate = 1e-2;
  static constexpr int64_t epochs = 8;
};

// Test accuracy, mean of five chips and starts, 8 epochs, last epoch, by the deviation of splitters and
// phases:
//
//            only the read-out   this test's F   fixed random F   physics-aware BP   in silico, transferred
//     .04          .877              .935             .883              .951                  .931
//     .08          .874              .913             .813              .933                  .726
//
// F = W^H R with R fixed and random and W the *nominal* mesh: nothing of the chip is known to the rule.
TEST_F(InSituTrainingMnistTest, TwoPassesTeachAChipOfUnknownErrors) {
  torch::manual_seed(1);
  auto in_silico = numerical(window, classes);
  BackPropagation exact;
  fit(in_silico, exact);
  for (const double sigma : {0.04, 0.08}) {
    const auto errors = Imperfections().splitter_error(sigma).phase_error(sigma);
    const auto fresh = [&errors] {
      torch::manual_seed(1);
      return in_situ_network(chip(ports, errors, 11), window, classes);
    };
    auto floor = fresh();
    Shallow shallow;
    fit(floor, shallow);

    auto taught = fresh();
    TwoPassForward rule(TwoPassForwardOptions()
                            .feedback(Feedback::twin)
                            .gain(std::sqrt(0.1))
                            .refresh(10)
                            .presynaptic(Presynaptic::clean)
                            .strength(0.1));
    fit(taught, rule);

    auto transferred = fresh();
    transfer(*in_silico, transferred);
    const double trained = test_accuracy(taught);
    std::printf("deviation %.2f: two passes %.3f, only the read-out %.3f, transferred %.3f\n", sigma, trained,
                test_accuracy(floor), test_accuracy(transferred));
    EXPECT_GT(trained, test_accuracy(floor) + 0.03);
    EXPECT_GT(trained, test_accuracy(transferred) + (sigma > 0.05 ? 0.08 : -0.03));
  }
}

}  // namespace
}  // namespace optotorch
