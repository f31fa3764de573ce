// Back-propagation through a laboratory's numerical model: it asks the system for nothing, and with
// corrections that know the errors it is the true gradient.

#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <support/differences.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/stages.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <limits>

namespace optotorch::testing::laboratories {
namespace {

using testing::expect_close;

class InSilicoTest : public OneThreadTest {
 protected:
  InSilicoTest() { torch::manual_seed(11); }

  /// One step of the rule in the laboratory against back-propagation through layers that are the same.
  static void expect_same_step(Hybrid in_laboratory, Hybrid expected, const Loss& loss) {
    const auto x = fields();
    const auto target = targets();
    InSilico rule;
    BackPropagation exact;
    const auto found = rule.step(*in_laboratory, x, target, loss);
    const auto wanted = exact.step(*expected, x, target, loss);
    expect_close(found.output, wanted.output, 1e-11);
    expect_close(found.loss, wanted.loss, 1e-11);
    const auto a = gradients(*in_laboratory), b = gradients(*expected);
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      expect_close(a[i], b[i], 1e-10, std::to_string(i));
    }
  }
};

TEST_F(InSilicoTest, WithoutCorrectionsItIsBackPropagation) {
  const auto system = simulated();
  auto network = network_of(system);
  expect_same_step(Hybrid(network), layers_of(*network, /*with_errors=*/false), cross_entropy);
  EXPECT_EQ(system->measurements(), 0);
  EXPECT_EQ(system->commands(), 0);
}

// Neither the monitors nor how readings would enter the model has a say.
TEST_F(InSilicoTest, WhatIsNotMeasuredDoesNotMatter) {
  for (const bool monitors : {false, true}) {
    for (const auto fusion : {Fusion::propagate, Fusion::in_place}) {
      auto network = network_of(simulated(monitors), fusion, monitors);
      correct_exactly(*network);
      expect_same_step(Hybrid(network), layers_of(*network, /*with_errors=*/true), cross_entropy);
      EXPECT_EQ(network->system()->measurements(), 0);
    }
  }
}

TEST_F(InSilicoTest, WithTheErrorsKnownItIsTheTrueGradient) {
  auto network = network_of(simulated());
  correct_exactly(*network);
  const auto& corrections = network->corrections();
  std::vector<Tensors> before;
  for (const auto& correction : corrections) {
    before.push_back(parameters_by_name(*correction));
  }
  Hybrid net(network), chip = layers_of(*network, /*with_errors=*/true);
  expect_same_step(net, chip, cross_entropy);
  for (size_t n = 0; n < meshes; ++n) {
    expect_equal(parameters_by_name(*corrections[n]), before[n], "a correction has learnt");
  }
  // What the chip is said to be is what the system measures.
  const auto x = fields();
  expect_close(network->measure(x).output, chip->forward(x), 1e-11);
  // Against differences of the measured loss, which share no gradient with the rule.
  const auto target = targets();
  net->zero_grad();
  InSilico rule;
  rule.step(*net, x, target, cross_entropy);
  for (const auto& mesh : meshes_of(*network)) {
    const auto differences = testing::central_differences(
        [&] { return cross_entropy(network->measure(x).output, target).item<double>(); }, mesh->theta, 1e-3);
    expect_close(mesh->theta.grad(), differences, 1e-7);
  }
}

TEST_F(InSilicoTest, TeachesTheLayersAroundTheNetwork) {
  auto network = network_of(simulated());
  correct_exactly(*network);
  MziMesh first(ports);
  torch::nn::Linear head(ports, classes);
  first->to(torch::kFloat64);
  head->to(torch::kFloat64);
  Hybrid net(first, network, head), expected;
  expected->push_back(std::dynamic_pointer_cast<MziMeshImpl>(first->clone()));
  const auto optics = layers_of(*network, /*with_errors=*/true);
  for (size_t i = 0; i < optics->size(); ++i) {
    expected->push_back(std::dynamic_pointer_cast<Layer>(optics->children()[i]));
  }
  expected->push_back(torch::nn::Linear(std::dynamic_pointer_cast<torch::nn::LinearImpl>(head->clone())));
  expect_same_step(net, expected, [](const torch::Tensor& y, const torch::Tensor& t) {
    return torch::nn::functional::cross_entropy(y, t);
  });
}

// Physics-aware training on the same network switches the corrections off.
TEST_F(InSilicoTest, CorrectionsCountWhoeverWasThereBefore) {
  auto network = network_of(simulated());
  correct_exactly(*network);
  Hybrid net(network);
  PhysicsAware before;
  before.step(*net, fields(), targets(), cross_entropy);
  net->zero_grad();
  expect_same_step(net, layers_of(*network, /*with_errors=*/true), cross_entropy);
}

TEST_F(InSilicoTest, CorrectionsSurviveInItsState) {
  auto network = network_of(simulated());
  correct_exactly(*network);
  Hybrid net(network);
  InSilico rule;
  EXPECT_TRUE(rule.state().empty());
  rule.meet(*net);
  const auto state = rule.state();
  EXPECT_EQ(state.size(), 3 * meshes);
  network->corrections()[0]->parameters()[0].detach().zero_();
  EXPECT_FALSE(state.at("correction.0.theta_offset").equal(network->corrections()[0]->parameters()[0]));
  correct_exactly(*network);

  // Into a rule that has met no network, and into one that has.
  for (const bool met : {false, true}) {
    auto other = network_of(simulated());
    correct(*other);
    Hybrid fresh(other);
    InSilico loaded;
    if (met) {
      loaded.meet(*fresh);
    }
    loaded.load_state(state);
    expect_equal(loaded.state(), state, met ? "met" : "waiting");
    const auto x = fields();
    const auto target = targets();
    other->copy_commands(
        {meshes_of(*network)[0].get(), meshes_of(*network)[1].get(), meshes_of(*network)[2].get()});
    net->zero_grad();
    rule.step(*net, x, target, cross_entropy);
    loaded.step(*fresh, x, target, cross_entropy);
    for (size_t n = 0; n < meshes; ++n) {
      expect_equal(parameters_by_name(*other->corrections()[n]),
                   parameters_by_name(*network->corrections()[n]));
    }
    const auto a = gradients(*fresh), b = gradients(*net);
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_TRUE(a[i].equal(b[i])) << i;
    }
  }
}

TEST_F(InSilicoTest, StatesOfOthersAreRejectedAndChangeNothing) {
  auto network = network_of(simulated());
  correct_exactly(*network);
  Hybrid net(network);
  InSilico rule;
  rule.meet(*net);
  const auto good = rule.state();
  std::vector<Tensors> wrong = {{{"projection", torch::ones({3})}}};
  wrong.push_back(good);
  wrong.back().erase("correction.2.splitter_error");
  const auto with = [&](const torch::Tensor& value) {
    wrong.push_back(good);
    wrong.back()["correction.2.phi_offset"] = value;
  };
  const auto offset = good.at("correction.2.phi_offset");
  with(offset.narrow(0, 0, 5));
  with(offset.to(torch::kFloat32));
  with(at::full_like(offset, std::nan("")));
  for (size_t i = 0; i < wrong.size(); ++i) {
    for (auto& [name, tensor] : wrong[i]) {
      if (name == "correction.0.theta_offset") {
        tensor = tensor + 1;  // the others must not be taken over either
      }
    }
    expect_complaint({"in-silico", "correction."}, [&] { rule.load_state(wrong[i]); });
    expect_equal(rule.state(), good, std::to_string(i));
    // A rule that has met no network cannot know: then its first step says so, every time.
    InSilico waiting;
    waiting.load_state(wrong[i]);
    for (int attempt = 0; attempt < 2; ++attempt) {
      expect_complaint({"in-silico", "correction."},
                       [&] { waiting.step(*net, fields(), targets(), cross_entropy); });
      expect_equal(rule.state(), good, std::to_string(i));
    }
    waiting.load_state(good);
    waiting.step(*net, fields(), targets(), cross_entropy);
  }
  Hybrid elsewhere{MziMesh(ports), Photodetector()};
  elsewhere->to(torch::kFloat64);
  expect_complaint({"in-silico", "one PhysicalNetwork"},
                   [&] { InSilico().step(*elsewhere, fields(), targets(), cross_entropy); });
}

TEST_F(InSilicoTest, AlignmentWithATruthThatKnowsTheErrors) {
  auto network = network_of(simulated());
  correct_exactly(*network);
  Hybrid net(network);
  auto knowing = network_of(simulated());  // with phases of its own
  correct_exactly(*knowing);
  const TrueGradient truth{Hybrid(knowing).ptr(), std::make_shared<InSilico>()};
  auto parameters = net->parameters();
  const auto grad = parameters[0].mutable_grad() = torch::randn_like(parameters[0]);
  const auto value = grad.clone();
  const auto before = parameters_by_name(*net);
  const auto x = fields();
  const auto target = targets();
  const auto leaves_no_trace = [&] {
    expect_equal(parameters_by_name(*net), before);
    EXPECT_TRUE(parameters[0].grad().is_same(grad));
    EXPECT_TRUE(grad.equal(value));
    for (size_t i = 1; i < parameters.size(); ++i) {
      EXPECT_FALSE(parameters[i].grad().defined()) << i;
    }
  };
  const auto cosine = [&](Rule& rule) {
    const auto cosines = alignment(rule, *net, x, target, cross_entropy, truth);
    EXPECT_EQ(cosines.size(), 1U);
    leaves_no_trace();
    return cosines.front();
  };
  InSilico exact;
  EXPECT_NEAR(cosine(exact), 1, 1e-12);
  expect_equal(parameters_by_name(*knowing), parameters_by_name(*network), "the truth's phases");
  correct(*network);
  InSilico blind;
  const double without = cosine(blind);
  EXPECT_LT(without, 0.99);
  PhysicsAware measured;
  EXPECT_GT(cosine(measured), without);

  correct(*network);
  DualAdaptive dual;
  const auto corrections = parameters_by_name(*network->corrections()[1]);
  EXPECT_LT(cosine(dual), 1);
  expect_equal(parameters_by_name(*network->corrections()[1]), corrections, "corrections");

  // When the truth's step throws, and when it is a network of other parameters.
  int calls = 0;
  const Loss fails_later = [&](const torch::Tensor& y, const torch::Tensor& t) {
    return cross_entropy(y, t) * (++calls > 1 ? std::numeric_limits<double>::quiet_NaN() : 1.0);
  };
  EXPECT_THROW(alignment(exact, *net, x, target, fails_later, truth), c10::ValueError);
  EXPECT_EQ(calls, 2);
  leaves_no_trace();
  auto larger = network_of(simulated(true, ports + 2));
  MziMesh one(ports);
  one->to(torch::kFloat64);
  for (const auto& other : {Hybrid(larger), Hybrid(one, Photodetector())}) {
    expect_complaint({"alignment", "truth"}, [&] {
      alignment(exact, *net, x, target, cross_entropy, TrueGradient{other.ptr(), truth.rule});
    });
    leaves_no_trace();
  }
}

}  // namespace
}  // namespace optotorch::testing::laboratories
