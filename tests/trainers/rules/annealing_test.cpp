#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <gtest/gtest.h>
#include <optotorch/modules/freeze.h>
#include <optotorch/modules/optics/boolean_readout.h>
#include <optotorch/modules/optics/ternary_readout.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/annealing.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/losses.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

namespace optotorch {
namespace {

constexpr int64_t annealed_in = 12, annealed_out = 3, annealed_batch = 90;

class AnnealingTest : public ::testing::Test {
 protected:
  AnnealingTest() {
    torch::manual_seed(3);
    states = torch::rand({annealed_batch, annealed_in}, torch::kFloat64);
    classes = at::arange(annealed_batch).remainder(annealed_out);
    states.select(1, 0).add_(classes.to(torch::kFloat64));  // something to find
  }

  template <typename Readout = TernaryReadout>
  static Hybrid network(double noise = 0) {
    torch::manual_seed(4);
    Hybrid net(Readout(DiscreteReadoutOptions(annealed_in, annealed_out).noise(noise).seed(2)));
    net->to(torch::kFloat64);
    return net;
  }

  static DiscreteReadout& readout(HybridImpl& net) { return dynamic_cast<DiscreteReadout&>(net.layer(0)); }

  /// 2 (1 - rho) of every output, from the ideal readings.
  double slow_cost(HybridImpl& net, const at::Tensor& target) {
    const auto y = states.mm(readout(net).discrete_weight().t());
    const auto a = y - y.mean(0), b = target - target.mean(0);
    const auto rho = (a * b).sum(0) / (a.square().sum(0) * b.square().sum(0)).sqrt();
    return (2 * (1 - rho)).mean().item<double>();
  }

  at::Tensor masks() const { return at::one_hot(classes, annealed_out).to(torch::kFloat64); }

  torch::Tensor states, classes;
};

AnnealingOptions greedy(int64_t trials) {
  return AnnealingOptions().schedule(AnnealingSchedule::constant).n0(1).trials(trials);
}

TEST_F(AnnealingTest, TheCostIsThatOfTheWeightsItLeavesAndFalls) {
  const auto check = [&](Hybrid net) {
    Annealing rule(greedy(60));
    double last = slow_cost(*net, masks());
    for (int step = 0; step < 3; ++step) {
      rule.step(*net, states, classes, testing::class_loss);
      const auto measures = rule.measures();
      EXPECT_EQ(measures.at("measurements"), 62);  // before, after, and the trials
      EXPECT_NEAR(measures.at("cost"), slow_cost(*net, masks()), 1e-12);
      EXPECT_LE(measures.at("cost"), last + 1e-12);
      last = measures.at("cost");
      EXPECT_TRUE(readout(*net).weight.equal(readout(*net).discrete_weight()));
      EXPECT_FALSE(readout(*net).weight.grad().defined());
    }
    EXPECT_LT(last, 1.2);
    // Classes: what is read is standardised.
    const auto y = net->forward(states);
    EXPECT_LE(y.mean(0).abs().max().item<double>(), 1e-12);
    EXPECT_LE((y.var(0, /*unbiased=*/false) - 1).abs().max().item<double>(), 1e-12);
  };
  check(network<TernaryReadout>());
  check(network<BooleanReadout>());
}

// Targets that weights of the read-out make exactly, behind an unknown gain: they are found, gain and bias too. No set of
// weights of so few is further from a better one than three changes.
TEST_F(AnnealingTest, FindsWeightsThatExplainTheTarget) {
  constexpr int64_t few = 5;
  const auto some = states.narrow(1, 0, few).contiguous();
  const auto check = [&](Hybrid net, const at::Tensor& truth) {
    net->to(torch::kFloat64);
    const auto target = some.mm(truth.t()) * 0.3 + 2;
    double cost = 2;
    for (int64_t round = 0; round < 9; ++round) {
      Annealing rule(greedy(400).n0(static_cast<double>(1 + round % 3)).seed(round));
      rule.step(*net, some, target, testing::squared_error);
      cost = rule.measures().at("cost");
    }
    EXPECT_LT(cost, 1e-9);
    testing::expect_close(net->forward(some), target, 1e-9);
  };
  torch::manual_seed(12);
  const DiscreteReadoutOptions options(few, annealed_out);
  check(
      Hybrid(TernaryReadout(options)),
      at::tensor({1., -1., 0., 1., 1., 0., 0., 1., -1., 1., -1., 1., 1., 0., -1.}).view({annealed_out, few}));
  check(Hybrid(BooleanReadout(options)),
        at::tensor({1., 0., 0., 1., 1., 0., 0., 1., 1., 1., 1., 1., 1., 0., 0.}).view({annealed_out, few}));
}

// All weights of a Boolean output change in every trial: only two sets of weights can ever be.
TEST_F(AnnealingTest, ChangesAsManyWeightsAsTheScheduleSays) {
  for (const auto schedule :
       {AnnealingSchedule::constant, AnnealingSchedule::exponential, AnnealingSchedule::error}) {
    auto net = network<BooleanReadout>();
    const auto before = readout(*net).discrete_weight();
    Annealing rule(AnnealingOptions().schedule(schedule).n0(annealed_in).floor(annealed_in).tau(1).trials(5));
    rule.step(*net, states, classes, testing::class_loss);
    const auto w = readout(*net).discrete_weight();
    for (int64_t output = 0; output < annealed_out; ++output) {
      EXPECT_TRUE(w[output].equal(before[output]) || w[output].equal(1 - before[output]));
    }
  }
  // Down to single flips at once: after the first trial, two sets of weights differ by at most one a trial.
  auto net = network<BooleanReadout>();
  Annealing first(AnnealingOptions().n0(annealed_in).tau(1e-9).trials(1));
  first.step(*net, states, classes, testing::class_loss);
  for (int step = 0; step < 10; ++step) {
    const auto before = readout(*net).discrete_weight();
    first.step(*net, states, classes, testing::class_loss);
    EXPECT_LE((readout(*net).discrete_weight() - before).abs().sum(1).max().item<double>(), 1);
  }
}

TEST_F(AnnealingTest, ARunResumesToTheSameBits) {
  for (const auto schedule : {AnnealingSchedule::exponential, AnnealingSchedule::error}) {
    for (const auto cost : {AnnealingCost::nmse, AnnealingCost::loss}) {
      const auto options = AnnealingOptions().schedule(schedule).cost(cost).n0(6).tau(40).trials(30).seed(5);
      auto through = network(0.3), halted = network(0.3);
      Annealing rule(options), first(options), second(options);
      for (int step = 0; step < 2; ++step) {
        rule.step(*through, states, classes, testing::class_loss);
      }
      first.step(*halted, states, classes, testing::class_loss);
      EXPECT_EQ(first.state().at("trials").item<int64_t>(), 30);
      second.load_state(first.state());
      second.step(*halted, states, classes, testing::class_loss);
      EXPECT_TRUE(readout(*through).weight.equal(readout(*halted).weight));
      EXPECT_TRUE(readout(*through).gain.equal(readout(*halted).gain));
      for (const auto& [name, tensor] : rule.state()) {
        EXPECT_TRUE(tensor.equal(second.state().at(name))) << name;
      }
    }
  }
}

TEST_F(AnnealingTest, ThreadsAndLibTorchsGeneratorDoNotMatter) {
  const int before = at::get_num_threads();
  const auto restore = c10::make_scope_exit([&] { at::set_num_threads(before); });
  // Enough for more than one thread.
  const auto many = states.repeat({400, 1}) + torch::rand({400 * annealed_batch, 1}, torch::kFloat64);
  const auto their_classes = classes.repeat(400);
  at::Tensor expected;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    auto net = network(0.2);
    torch::manual_seed(threads);
    Annealing rule(AnnealingOptions().n0(5).tau(30).trials(40));
    rule.step(*net, many, their_classes, testing::class_loss);
    const auto found =
        at::cat({readout(*net).weight.flatten(), readout(*net).gain, readout(*net).bias}).detach();
    expected = expected.defined() ? expected : found;
    EXPECT_TRUE(found.equal(expected)) << threads;
  }
}

// Every cost comes from a noisy reading, and every reading is counted.
TEST_F(AnnealingTest, SeesWhatWasMeasuredAlone) {
  for (const bool remeasure : {false, true}) {
    auto net = network(0.5);
    Annealing rule(greedy(40).remeasure(remeasure));
    rule.step(*net, states, classes, testing::class_loss);
    const double measurements = remeasure ? 40 + 39 + 2 : 42;
    EXPECT_EQ(rule.measures().at("measurements"), measurements);
    EXPECT_EQ(readout(*net).readings.item<int64_t>(), measurements + 1);  // and the first pass
    EXPECT_GT(std::abs(rule.measures().at("cost") - slow_cost(*net, masks())), 1e-6);
  }
}

TEST_F(AnnealingTest, TheLossMayStandBehindOtherLayers) {
  auto net = network();
  net->push_back(torch::nn::Tanh());
  torch::nn::Linear last(annealed_out, 2);
  last->to(torch::kFloat64);
  net->push_back(last);
  const auto target = torch::randn({annealed_batch, 2}, torch::kFloat64);
  const auto gain = readout(*net).gain.detach().clone();
  Annealing rule(AnnealingOptions().cost(AnnealingCost::loss).n0(5).tau(20).trials(100));
  const double before = testing::squared_error(net->forward(states), target).item<double>();
  rule.step(*net, states, target, testing::squared_error);
  const double after = testing::squared_error(net->forward(states), target).item<double>();
  EXPECT_LT(after, before);
  EXPECT_NEAR(rule.measures().at("cost"), after, 1e-12);
  EXPECT_TRUE(readout(*net).gain.equal(gain));
  Annealing apart(greedy(3));
  EXPECT_SAYS(apart.step(*net, states, target, testing::squared_error), "last layer");
}

TEST_F(AnnealingTest, AlignmentGivesTheWeightsBack) {
  auto net = network();
  Annealing rule(greedy(20));
  const auto before = readout(*net).weight.detach().clone(), gain = readout(*net).gain.detach().clone();
  alignment(rule, *net, states, classes, testing::class_loss);
  EXPECT_TRUE(readout(*net).weight.equal(before));
  EXPECT_TRUE(readout(*net).gain.equal(gain));
  EXPECT_EQ(rule.state().at("trials").item<int64_t>(), 0);
}

TEST_F(AnnealingTest, WrongOptionsAreRejected) {
  EXPECT_SAYS(Annealing(AnnealingOptions().floor(0)), "floor");
  EXPECT_SAYS(Annealing(AnnealingOptions().n0(2).floor(3)), "n0");
  EXPECT_SAYS(Annealing(AnnealingOptions().n0(std::nan(""))), "n0");
  EXPECT_SAYS(Annealing(AnnealingOptions().tau(0)), "tau");
  EXPECT_SAYS(Annealing(AnnealingOptions().tau(-3)), "tau");
  EXPECT_SAYS(Annealing(AnnealingOptions().trials(0)), "trials");
  Annealing rule;
  EXPECT_SAYS(rule.load_state({}), "state");
  EXPECT_SAYS(rule.load_state({{"trials", torch::tensor(int64_t{-1})}}), "state");
}

TEST_F(AnnealingTest, WrongInputIsRejectedAndChangesNothing) {
  auto net = network();
  Annealing rule(greedy(10));
  std::vector<at::Tensor> before;
  for (const auto& parameter : net->parameters()) {
    before.push_back(parameter.detach().clone());
  }
  const Loss any = [](const torch::Tensor& y, const torch::Tensor& t) { return y.square().mean(); };
  const auto two_classes = at::arange(annealed_batch).remainder(2);
  EXPECT_SAYS(rule.step(*net, states, two_classes, any), "none of class 2");
  EXPECT_SAYS(rule.step(*net, states, classes + 1, any), "classes from 0 to 2");
  EXPECT_SAYS(rule.step(*net, states, classes - 1, any), "classes from 0 to 2");
  EXPECT_SAYS(rule.step(*net, states, classes.narrow(0, 1, 50), any), "target");
  EXPECT_SAYS(rule.step(*net, states, torch::randn({annealed_batch, annealed_out + 1}), any), "target");
  EXPECT_SAYS(rule.step(*net, states, torch::ones({annealed_batch, annealed_out}), any), "output 0");
  EXPECT_SAYS(rule.step(*net, states, torch::full({annealed_batch, annealed_out}, std::nan("")), any),
              "target");
  EXPECT_SAYS(rule.step(*net, states.narrow(0, 0, 1).expand({annealed_batch, annealed_in}), classes, any),
              "differ");
  auto broken = states.clone();
  broken[0][0] = std::nan("");
  EXPECT_THROW(rule.step(*net, broken, classes, any), c10::ValueError);
  Annealing wide(AnnealingOptions().n0(annealed_in + 1));
  EXPECT_SAYS(wide.step(*net, states, classes, any), "number of weights");
  size_t index = 0;
  for (const auto& parameter : net->parameters()) {
    EXPECT_TRUE(parameter.equal(before[index++]));
  }
  EXPECT_EQ(rule.state().at("trials").item<int64_t>(), 0);

  freeze(net->layer(0));
  net->push_back(torch::nn::Linear(annealed_out, annealed_out));
  net->to(torch::kFloat64);
  EXPECT_SAYS(rule.step(*net, states, classes, any), "frozen");
  Hybrid none{torch::nn::Linear(annealed_in, annealed_out)};
  none->to(torch::kFloat64);
  EXPECT_SAYS(rule.step(*none, states, classes, any), "discrete read-out");
  Hybrid two(TernaryReadout(annealed_in, annealed_in), TernaryReadout(annealed_in, annealed_out));
  two->to(torch::kFloat64);
  EXPECT_SAYS(rule.step(*two, states, classes, any), "got 2");
}

}  // namespace
}  // namespace optotorch
