// Every layer with every rule: the layer stands in the middle of a small network, one step is run.

#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/weights.h>
#include <optotorch/trainers/rules/annealing.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/rules/zeroth_order.h>
#include <support/layer_cases.h>
#include <support/stages.h>
#include <torch/optim/adam.h>

#include <tuple>

namespace optotorch {
namespace {

using testing::LayerCase;
using testing::Takes;

struct RuleCase {
  std::string name;
  std::function<std::unique_ptr<Rule>()> make;
  bool head_only = false;
  bool two_pass = false;
  bool physical = false;  ///< for a system in a laboratory, which then stands in the network
  bool shared = false;    ///< one measured number teaches all parameters: freezing some changes it
};

void PrintTo(const RuleCase& rule, std::ostream* stream) {
  *stream << rule.name;
}

RuleCase two_pass(const std::string& name, Feedback feedback, Presynaptic presynaptic, double strength = 1) {
  return {name,
          [=] {
            return std::make_unique<TwoPassForward>(
                TwoPassForwardOptions().feedback(feedback).presynaptic(presynaptic).strength(strength));
          },
          /*head_only=*/false, /*two_pass=*/true};
}

template <typename PhysicalRule, typename... Arguments>
RuleCase physical(const std::string& name, Arguments... arguments) {
  return {name, [=] { return std::make_unique<PhysicalRule>(arguments...); }, /*head_only=*/false,
          /*two_pass=*/false, /*physical=*/true};
}

std::vector<RuleCase> rule_cases() {
  return {physical<InSilico>("InSilico"),
          physical<PhysicsAware>("PhysicsAware"),
          physical<AdaptiveTraining>("AdaptiveTraining", int64_t{100}),
          physical<DualAdaptive>("DualAdaptive"),
          {"BackPropagation", [] { return std::make_unique<BackPropagation>(); }},
          {"DirectFeedback", [] { return std::make_unique<DirectFeedback>(); }},
          // Steps that a threshold sees.
          {"ZerothOrder", [] { return std::make_unique<ZerothOrder>(ZerothOrderOptions().step(0.4)); },
           /*head_only=*/false,
           /*two_pass=*/false, /*physical=*/false, /*shared=*/true},
          {"Shallow", [] { return std::make_unique<Shallow>(); }, /*head_only=*/true},
          two_pass("TwoPassForward", Feedback::random, Presynaptic::modulated),
          two_pass("TwoPassForwardReversed", Feedback::random, Presynaptic::clean, -2),
          two_pass("TwoPassForwardTwin", Feedback::twin, Presynaptic::modulated, 0.1),
          two_pass("TwoPassForwardAdjoint", Feedback::adjoint, Presynaptic::clean, 0.1)};
}

constexpr int64_t case_batch = 4, outputs = 3;

/// Trainable layers before and behind the row's, so that the row's is hidden. Every phase is seen: a coherent
/// detector reads, and none stands on a single port before an intensity.
struct Surrounded {
  Hybrid net;
  size_t position = 0;
  torch::Tensor input;
};

/// A chip of four ports with errors, before which light is made.
void push_back_laboratory(Hybrid& net) {
  const auto mesh = MziMeshOptions(4);
  const auto errors = Imperfections().splitter_error(.1).phase_error(.2);
  net->push_back(Modulator(4));
  net->push_back(PhysicalNetwork(std::make_shared<SimulatedSystem>(Chip(mesh.layout(), errors, 1)),
                                 PhysicalNetworkOptions(mesh)));
}

void push_back_corrections(HybridImpl& net) {
  for (size_t index = 0; index < net.size(); ++index) {
    auto* const network = dynamic_cast<PhysicalNetworkImpl*>(&net.layer(index));
    std::vector<std::shared_ptr<Correction>> corrections;
    for (size_t n = 0; network != nullptr && n < network->stages().size(); ++n) {
      corrections.push_back(
          std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(meshes_of(*network)[n]->layout())));
    }
    if (network != nullptr) {
      network->set_corrections(corrections);
    }
  }
}

/// For a rule of laboratories one stands in front, unless the row is one.
Surrounded surround(const LayerCase& row, bool physical) {
  Surrounded result;
  auto& net = result.net;
  const auto layer = row.make();
  const int64_t size = c10::multiply_integers(row.sample);
  if (physical && dynamic_cast<const PhysicalNetworkImpl*>(layer.get()) == nullptr) {
    push_back_laboratory(net);
  }
  if (row.takes == Takes::field) {
    net->push_back(Modulator(4));
    net->push_back(MziLinear(4, size));
    if (row.sample.size() > 1) {
      net->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, row.sample)));
    }
    result.input = torch::randn({case_batch, 4});
  } else if (row.sample.size() < 3) {
    net->push_back(torch::nn::Linear(4, size));
    net->push_back(torch::nn::Tanh());
    if (row.sample.size() > 1) {
      net->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, row.sample)));
    }
    result.input = torch::randn({case_batch, 4});
  } else {
    const std::vector<int64_t> image{1, row.sample[1], row.sample[2]};
    result.input = torch::randn({case_batch, 1, row.sample[1], row.sample[2]});
    if (net->size() > 0) {
      net->push_back(torch::nn::Linear(4, image[1] * image[2]));
      net->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, image)));
      result.input = torch::randn({case_batch, 4});
    }
    net->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, row.sample[0], 3).padding(1)));
    net->push_back(torch::nn::Tanh());
  }
  result.position = net->size();
  net->push_back(layer);
  const auto output = layer->propagate(testing::random_batch(row, 2, torch::kFloat32)).output;
  if (output.is_complex()) {
    if (output.dim() > 2) {
      net->push_back(torch::nn::Flatten());
    }
    net->push_back(MziLinear(output.flatten(1).size(1), 3));
    net->push_back(Photodetector(PhotodetectorOptions().detection(Detection::coherent)));
    net->push_back(torch::nn::Linear(6, outputs));
  } else {
    net->push_back(torch::nn::Flatten());
    net->push_back(torch::nn::Linear(output.flatten(1).size(1), outputs));
  }
  if (physical) {
    push_back_corrections(*net);
  }
  return result;
}

class RuleLayerTableTest : public ::testing::TestWithParam<std::tuple<RuleCase, LayerCase>> {};

TEST_P(RuleLayerTableTest, OneStepTrainsExactlyWhatItShould) {
  const auto& [rule_case, row] = GetParam();
  torch::manual_seed(7);
  auto [net, position, input] = surround(row, rule_case.physical);
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  const auto rule = rule_case.make();
  if (rule_case.two_pass && row.meshes > 1) {
    // Two passes give a signal at the last mesh only: what stands at the others nobody can tell.
    EXPECT_THROW(rule->step(*net, input, target, loss), c10::ValueError);
    return;
  }

  const auto result = rule->step(*net, input, target, loss);
  EXPECT_EQ(result.output.sizes(), (at::IntArrayRef{case_batch, outputs}));
  EXPECT_EQ(result.loss.dim(), 0);
  EXPECT_TRUE(std::isfinite(result.loss.item<double>()));
  EXPECT_FALSE(result.output.requires_grad());
  EXPECT_FALSE(result.loss.requires_grad());
  EXPECT_FALSE(net->forward(input).requires_grad());
  EXPECT_FALSE(input.requires_grad());

  const std::string head = std::to_string(net->size() - 1) + ".";
  std::map<std::string, torch::Tensor> before;
  // Adaptive training measures behind the first mesh of several, which keeps its phases.
  const bool measures_first = rule_case.name == "AdaptiveTraining" && row.meshes > 1;
  const std::string first_mesh = c10::str(position, ".0.");
  const auto trained = [&](const std::string& name) {
    return (!rule_case.head_only || name.rfind(head, 0) == 0) &&
           !(measures_first && name.starts_with(first_mesh));
  };
  for (auto& item : net->named_parameters()) {
    const auto& grad = item.value().grad();
    before[item.key()] = item.value().detach().clone();
    if (!trained(item.key())) {
      EXPECT_FALSE(grad.defined()) << item.key();
      continue;
    }
    ASSERT_TRUE(grad.defined()) << item.key();
    EXPECT_EQ(grad.sizes(), item.value().sizes()) << item.key();
    EXPECT_EQ(grad.scalar_type(), item.value().scalar_type()) << item.key();
    EXPECT_FALSE(grad.requires_grad()) << item.key();
    EXPECT_TRUE(grad.isfinite().all().item<bool>()) << item.key();
    EXPECT_GT(grad.abs().max().item<double>(), 0) << item.key();
  }

  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
  optimizer.step();
  for (auto& item : net->named_parameters()) {
    EXPECT_NE(item.value().equal(before.at(item.key())), trained(item.key())) << item.key();
  }
  // The trained network still works: a second step on the same rule.
  optimizer.zero_grad();
  EXPECT_TRUE(std::isfinite(rule->step(*net, input, target, loss).loss.item<double>()));
}

// Every rule leaves a frozen layer as it is and teaches the others what it taught them before, also where the
// optimiser has weight decay.
TEST_P(RuleLayerTableTest, AFrozenLayerStaysAsItIs) {
  const auto& [rule_case, row] = GetParam();
  if ((rule_case.two_pass && row.meshes > 1) || row.make()->parameters().empty()) {
    return;
  }
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  std::map<std::string, torch::Tensor> expected;
  for (const bool frozen : {false, true}) {
    torch::manual_seed(7);
    auto [net, position, input] = surround(row, rule_case.physical);
    auto& layer = net->layer(position);
    if (frozen) {
      freeze(layer);
    }
    rule_case.make()->step(*net, input, target, loss);
    if (!frozen) {
      for (const auto& item : net->named_parameters()) {
        expected[item.key()] = item.value().grad();
      }
      continue;
    }
    const std::string prefix = std::to_string(position) + ".";
    std::map<std::string, torch::Tensor> before;
    for (const auto& item : net->named_parameters()) {
      before[item.key()] = item.value().detach().clone();
      const auto& grad = item.value().grad();
      if (item.key().starts_with(prefix)) {
        EXPECT_FALSE(grad.defined()) << item.key();
        continue;
      }
      ASSERT_EQ(grad.defined(), expected.at(item.key()).defined()) << item.key();
      EXPECT_TRUE(!grad.defined() || rule_case.shared || grad.equal(expected.at(item.key()))) << item.key();
    }
    torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(1e-2).weight_decay(.1));
    adam.step();
    for (const auto& item : net->named_parameters()) {
      const bool moves = !item.key().starts_with(prefix) && expected.at(item.key()).defined();
      EXPECT_EQ(item.value().equal(before.at(item.key())), !moves) << item.key();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RuleLayerTableTest,
                         ::testing::Combine(::testing::ValuesIn(rule_cases()),
                                            ::testing::ValuesIn(testing::layer_cases())),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
                         });

// Annealing knows discrete read-outs alone: it searches their weights and teaches nothing else.
class RuleLayerTableAnnealingTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(RuleLayerTableAnnealingTest, SearchesADiscreteReadoutAndNothingElse) {
  torch::manual_seed(7);
  auto [net, position, input] = surround(GetParam(), /*physical=*/false);
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  Annealing rule(AnnealingOptions().cost(AnnealingCost::loss).n0(2).trials(30));
  const auto weights_before = weights_of(*net);
  auto* const readout = dynamic_cast<DiscreteReadout*>(&net->layer(position));
  if (readout == nullptr) {
    EXPECT_THROW(rule.step(*net, input, target, loss), c10::ValueError);
  } else {
    const double before = loss(net->forward(input), target).item<double>();
    rule.step(*net, input, target, loss);
    EXPECT_LT(loss(net->forward(input), target).item<double>(), before);
    EXPECT_TRUE(readout->weight.equal(readout->discrete_weight()));
  }
  const std::string searched = readout == nullptr ? "none" : std::to_string(position) + ".weight";
  for (const auto& item : net->named_parameters()) {
    EXPECT_FALSE(item.value().grad().defined()) << item.key();
    EXPECT_EQ(item.value().equal(weights_before.at(item.key())), item.key() != searched) << item.key();
  }
}

INSTANTIATE_TEST_SUITE_P(All, RuleLayerTableAnnealingTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

// Down the gradient: on every layer, twenty steps of back-propagation lower the loss of one batch.
class RuleLayerTableDescentTest : public ::testing::TestWithParam<LayerCase> {};

TEST_P(RuleLayerTableDescentTest, BackPropagationLowersTheLoss) {
  torch::manual_seed(11);
  auto [net, position, input] = surround(GetParam(), /*physical=*/false);
  const auto target = torch::randn({case_batch, outputs});
  const Loss loss = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };
  BackPropagation rule;
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
  double first = 0, last = 0;
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    last = rule.step(*net, input, target, loss).loss.item<double>();
    first = step == 0 ? last : first;
    optimizer.step();
  }
  EXPECT_LT(last, 0.9 * first);
}

INSTANTIATE_TEST_SUITE_P(All, RuleLayerTableDescentTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

}  // namespace
}  // namespace optotorch
