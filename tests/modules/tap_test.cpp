#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/tap.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/parameters.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/linear.h>

#include <memory>
#include <stdexcept>
#include <thread>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::take_all_gradients;
using Mode = TapScope::Mode;

/// tanh(c(tap(tanh(b(tap(tanh(a(x)))))))): three parts, the last behind all taps.
struct ThreePartsImpl : torch::nn::Module {
  ThreePartsImpl() : torch::nn::Module("ThreeParts") {}
  torch::Tensor forward(const torch::Tensor& x) {
    const auto h = tap(a(x).tanh());
    return c(tap(b(h).tanh())).tanh();
  }
  torch::nn::Linear a{register_module("a", torch::nn::Linear(3, 4))};
  torch::nn::Linear b{register_module("b", torch::nn::Linear(4, 5))};
  torch::nn::Linear c{register_module("c", torch::nn::Linear(5, 2))};
};
TORCH_MODULE(ThreeParts);

/// Any function as a module.
template <typename Function>
torch::nn::AnyModule module_of(Function function) {
  return torch::nn::AnyModule(torch::nn::Functional(function));
}

bool has_gradient(const torch::nn::Linear& linear) {
  return linear->weight.grad().defined() && linear->weight.grad().any().item<bool>();
}

class TapTest : public ::testing::Test {
 protected:
  TapTest() {
    torch::manual_seed(1);
    parts = ThreeParts();
    parts->to(torch::kFloat64);
    net = Hybrid(parts);
    x = torch::randn({6, 3}, torch::kFloat64);
  }

  Pass propagate() { return net->propagate_parts(x).front(); }
  Pass propagate(Keep keep) { return net->propagate(x, 0, keep).front(); }
  ElectronicBlock& layer() { return dynamic_cast<ElectronicBlock&>(net->layer(0)); }

  std::vector<torch::Tensor> random_signals(const Pass& pass) {
    std::vector<torch::Tensor> signals;
    for (const auto& at_tap : layer().taps(pass)) {
      signals.push_back(torch::randn_like(at_tap));
    }
    return signals;
  }

  ThreeParts parts{nullptr};
  Hybrid net;
  torch::Tensor x;
};

TEST_F(TapTest, OutsideOfATrainingStepItIsAnErrorOrNothing) {
  EXPECT_SAYS(tap(x), "tap: x: expected a call within a training step, got one outside of any");
  EXPECT_SAYS(parts->forward(x), "Hybrid");
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(tap(x).is_same(x));
  EXPECT_FALSE(parts->forward(x).requires_grad());
}

TEST_F(TapTest, RefusesWhatHasNoGradient) {
  for (const auto mode : {Mode::through, Mode::cut}) {
    const TapScope scope(mode);
    EXPECT_SAYS(tap(torch::arange(3)), "int64 [3]");
    EXPECT_SAYS(tap(torch::ones({2}, torch::kBool)), "floating-point");
    EXPECT_SAYS(tap(torch::Tensor()), "undefined");
    EXPECT_TRUE(scope.taps().empty());
  }
  const TapScope scope(Mode::cut);
  EXPECT_TRUE(tap(torch::ones({2}, torch::kComplexDouble)).is_complex());
  EXPECT_EQ(scope.taps().size(), 1U);
}

TEST_F(TapTest, ThroughIsNothing) {
  const TapScope scope(Mode::through);
  const auto leaf = x.clone().requires_grad_();
  const auto y = leaf * 2;
  EXPECT_TRUE(tap(y).is_same(y));
  EXPECT_TRUE(tap(leaf).is_same(leaf));
  EXPECT_TRUE(scope.taps().empty());
}

TEST_F(TapTest, CutKeepsTheEndOfAPartAndBeginsAnother) {
  const TapScope scope(Mode::cut);
  const auto leaf = x.clone().requires_grad_();
  const auto y = leaf * 2;
  const auto z = tap(y);
  EXPECT_TRUE(z.equal(y));
  EXPECT_TRUE(z.is_leaf());
  ASSERT_EQ(scope.taps().size(), 1U);
  EXPECT_TRUE(scope.taps()[0].is_same(y));
  (z * 3).sum().backward();
  EXPECT_FALSE(leaf.grad().defined());
}

TEST_F(TapTest, TheInnermostScopeDecidesAndEndsInOrder) {
  TapScope outer(Mode::cut);
  tap(x);
  {
    const TapScope through(Mode::through);
    tap(x);
    {
      const TapScope inner(Mode::cut);
      tap(x);
      tap(x);
      EXPECT_EQ(inner.taps().size(), 2U);
    }
    const auto y = x * 2;
    EXPECT_TRUE(tap(y).is_same(y));
    EXPECT_TRUE(through.taps().empty());
  }
  const auto last = x * 3;
  tap(last);
  ASSERT_EQ(outer.taps().size(), 2U);
  EXPECT_TRUE(outer.taps()[0].is_same(x));
  EXPECT_TRUE(outer.taps()[1].is_same(last));
}

TEST_F(TapTest, AScopeIsOfItsThread) {
  const TapScope scope(Mode::cut);
  std::string said;
  std::thread([&] { said = testing::error_of([&] { tap(x); }); }).join();
  EXPECT_NE(said.find("outside of any"), std::string::npos) << said;
  EXPECT_TRUE(scope.taps().empty());
}

TEST_F(TapTest, AModelThatThrowsLeavesNoScopeBehind) {
  bool broken = true;
  ElectronicBlock block(module_of([&](const torch::Tensor& t) {
    const auto y = tap(t * 2);
    if (broken) {
      throw std::runtime_error("broken");
    }
    return y;
  }));
  for (const auto keep : {Keep::context, Keep::nothing}) {
    EXPECT_THROW(block.propagate(x, keep), std::runtime_error);
    EXPECT_SAYS(tap(x), "outside of any");
  }
  EXPECT_THROW(block.propagate_parts(x), std::runtime_error);
  EXPECT_SAYS(tap(x), "outside of any");
  broken = false;
  EXPECT_EQ(block.taps(block.propagate_parts(x)).size(), 1U);
}

TEST_F(TapTest, OnlyPartsHaveTaps) {
  const auto cut = propagate();
  const auto at_taps = layer().taps(cut);
  ASSERT_EQ(at_taps.size(), 2U);
  const torch::NoGradGuard no_grad;
  const auto h = parts->a(x).tanh();
  expect_close(at_taps[0].detach(), h, 1e-15);
  expect_close(at_taps[1].detach(), parts->b(h).tanh(), 1e-15);
  for (const auto keep : {Keep::context, Keep::nothing}) {
    const auto pass = propagate(keep);
    EXPECT_TRUE(layer().taps(pass).empty());
    EXPECT_TRUE(pass.output.equal(cut.output));
    EXPECT_FALSE(pass.output.requires_grad());
  }
  EXPECT_FALSE(cut.output.requires_grad());
  net->eval();
  EXPECT_TRUE(net->forward(x).equal(cut.output));
  EXPECT_TRUE(layer().deploy().forward(x).equal(cut.output));
}

TEST_F(TapTest, UnderBackPropagationTapsAreNothing) {
  const auto w = torch::randn({6, 2}, torch::kFloat64);
  const auto dL_dx = layer().pullback(propagate(Keep::context), w);
  const auto loss = [&] { return (net->propagate(x).back().output * w).sum().item<double>(); };
  expect_close(dL_dx, testing::central_differences(loss, x), 1e-8, "input");
  for (auto& item : parts->named_parameters()) {
    expect_close(item.value().grad(), testing::central_differences(loss, item.value().detach()), 1e-8,
                 item.key());
  }
}

TEST_F(TapTest, TrueSignalsGiveTheTrueGradient) {
  const auto w = torch::randn({6, 2}, torch::kFloat64);
  layer().pullback(propagate(Keep::context), w);
  const auto expected = take_all_gradients(*parts);

  const auto h = parts->a(x).tanh().detach().requires_grad_();
  const auto g = parts->b(h).tanh();
  const auto at_taps = torch::autograd::grad({(parts->c(g).tanh() * w).sum()}, {h, g});
  const auto pass = propagate();
  layer().tap_update(pass, at_taps);
  layer().pullback(pass, w);
  for (const auto& [name, gradient] : take_all_gradients(*parts)) {
    expect_close(gradient, expected.at(name), 1e-13, name);
  }
}

TEST_F(TapTest, ASignalTeachesItsOwnPartOnly) {
  const auto pass = propagate();
  for (size_t taught = 0; taught < 3; ++taught) {
    auto signals = random_signals(pass);
    for (size_t i = 0; i < signals.size(); ++i) {
      signals[i].mul_(i == taught ? 1 : 0);
    }
    layer().tap_update(pass, signals);
    const auto dL_dx = layer().pullback(pass, torch::randn_like(pass.output) * (taught == 2 ? 1 : 0));
    EXPECT_FALSE(dL_dx.any().item<bool>()) << "the input stands before all taps";
    EXPECT_EQ(has_gradient(parts->a), taught == 0);
    EXPECT_EQ(has_gradient(parts->b), taught == 1);
    EXPECT_EQ(has_gradient(parts->c), taught == 2);
    take_all_gradients(*parts);
  }
}

TEST_F(TapTest, GradientsAccumulateAndThePassStays) {
  const auto pass = propagate();
  const auto signals = random_signals(pass);
  std::vector<torch::Tensor> before;
  for (const auto& signal : signals) {
    before.push_back(signal.clone());
  }
  layer().tap_update(pass, signals);
  const auto once = take_all_gradients(*parts);
  layer().tap_update(pass, signals);
  layer().tap_update(pass, signals);
  for (const auto& [name, gradient] : take_all_gradients(*parts)) {
    expect_close(gradient, 2 * once.at(name), 1e-15, name);
    EXPECT_FALSE(gradient.requires_grad());
  }
  for (size_t i = 0; i < signals.size(); ++i) {
    EXPECT_TRUE(signals[i].equal(before[i]));
  }
}

TEST_F(TapTest, WrongSignalsChangeNothing) {
  const auto pass = propagate();
  auto signals = random_signals(pass);
  const auto wrong = [&](size_t tap, const torch::Tensor& signal) {
    auto changed = signals;
    changed[tap] = signal;
    return changed;
  };
  EXPECT_SAYS(layer().tap_update(pass, {}), "expected 2");
  EXPECT_SAYS(layer().tap_update(pass, {signals[0]}), "got 1");
  EXPECT_SAYS(layer().tap_update(pass, {signals[0], signals[1], signals[1]}), "got 3");
  EXPECT_SAYS(layer().tap_update(pass, {signals[1], signals[0]}), "signal at tap 0");
  EXPECT_SAYS(layer().tap_update(pass, wrong(1, signals[1].t())), "float64 [6, 5]");
  EXPECT_SAYS(layer().tap_update(pass, wrong(1, signals[1].narrow(0, 0, 1))), "float64 [1, 5]");
  EXPECT_SAYS(layer().tap_update(pass, wrong(1, signals[1].to(torch::kFloat32))), "float32 [6, 5]");
  EXPECT_SAYS(layer().tap_update(pass, wrong(1, at::complex(signals[1], signals[1]))), "complex128");
  EXPECT_SAYS(layer().tap_update(pass, wrong(1, torch::Tensor())), "undefined");
  EXPECT_SAYS(layer().tap_update(propagate(Keep::context), signals), "expected 0");
  EXPECT_SAYS(layer().tap_update(propagate(Keep::nothing), signals), "got 2");
  for (const auto& parameter : parts->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
  layer().tap_update(propagate(Keep::context), {});
  Hybrid mesh(MziMesh(3));
  const auto light = mesh->propagate_parts(torch::ones({1, 3}, torch::kComplexFloat)).front();
  EXPECT_TRUE(mesh->taps(0, light).empty());
  mesh->tap_update(0, light, {});
  EXPECT_SAYS(mesh->tap_update(0, light, {light.output}), "there are no taps inside, got 1");
}

TEST_F(TapTest, ATapOfTheInputItselfTeachesNothing) {
  torch::nn::Linear linear(3, 2);
  linear->to(torch::kFloat64);
  ElectronicBlock block(module_of([linear](const torch::Tensor& t) mutable { return linear(tap(t)); }));
  const auto pass = block.propagate_parts(x);
  ASSERT_EQ(block.taps(pass).size(), 1U);
  EXPECT_TRUE(block.taps(pass)[0].equal(x));
  block.tap_update(pass, {torch::randn_like(x)});
  EXPECT_FALSE(block.pullback(pass, torch::randn_like(pass.output)).any().item<bool>());
}

struct TwiceImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& x) { return after(tap(tap(before(x)))); }
  torch::nn::Linear before{register_module("before", torch::nn::Linear(3, 3))};
  torch::nn::Linear after{register_module("after", torch::nn::Linear(3, 2))};
};
TORCH_MODULE(Twice);

// Between two taps in a row there is nothing to learn: the first one's signal is the part's.
TEST_F(TapTest, TwoTapsInARow) {
  Twice twice;
  twice->to(torch::kFloat64);
  ElectronicBlock block{torch::nn::AnyModule(twice)};
  const auto pass = block.propagate_parts(x);
  ASSERT_EQ(block.taps(pass).size(), 2U);
  const auto signal = torch::randn({6, 3}, torch::kFloat64);
  block.tap_update(pass, {torch::zeros_like(signal), signal});
  EXPECT_FALSE(has_gradient(twice->before));
  block.tap_update(pass, {signal, torch::zeros_like(signal)});
  expect_close(twice->before->weight.grad(), signal.t().mm(x), 1e-14);
  EXPECT_FALSE(twice->after->weight.grad().defined());
}

// One tensor tapped at two places: both signals are of it.
TEST_F(TapTest, TwoTapsOfOneTensor) {
  torch::nn::Linear linear(3, 3);
  linear->to(torch::kFloat64);
  struct ForkImpl : torch::nn::Module {
    explicit ForkImpl(torch::nn::Linear l) : linear(register_module("linear", std::move(l))) {}
    torch::Tensor forward(const torch::Tensor& x) {
      const auto h = linear(x);
      return tap(h) * tap(h);
    }
    torch::nn::Linear linear;
  };
  ElectronicBlock block{torch::nn::AnyModule(std::make_shared<ForkImpl>(linear))};
  const auto pass = block.propagate_parts(x);
  const auto s = torch::randn({6, 3}, torch::kFloat64), t = torch::randn({6, 3}, torch::kFloat64);
  block.tap_update(pass, {s, t});
  expect_close(linear->weight.grad(), (s + t).t().mm(x), 1e-14);
}

TEST_F(TapTest, FrozenPartsStayAsTheyAre) {
  for (auto& parameter : parts->a->parameters()) {
    parameter.set_requires_grad(false);
  }
  const auto pass = propagate();
  layer().tap_update(pass, random_signals(pass));
  layer().pullback(pass, torch::randn_like(pass.output));
  EXPECT_FALSE(parts->a->weight.grad().defined());
  EXPECT_TRUE(has_gradient(parts->b));
  EXPECT_TRUE(has_gradient(parts->c));
  take_all_gradients(*parts);

  for (auto& parameter : parts->parameters()) {
    parameter.set_requires_grad(false);
  }
  const auto frozen = propagate();
  ASSERT_EQ(layer().taps(frozen).size(), 2U);
  layer().tap_update(frozen, random_signals(frozen));
  const auto dL_dx = layer().pullback(frozen, torch::randn_like(frozen.output));
  EXPECT_FALSE(dL_dx.any().item<bool>());
  for (const auto& parameter : parts->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

// The output itself is a tap: nothing is left to learn from the signal at the output.
TEST_F(TapTest, ATapOfTheOutput) {
  struct EndImpl : torch::nn::Module {
    torch::Tensor forward(const torch::Tensor& x) { return tap(linear(x)); }
    torch::nn::Linear linear{register_module("linear", torch::nn::Linear(3, 3))};
  };
  const auto end = std::make_shared<EndImpl>();
  end->to(torch::kFloat64);
  ElectronicBlock block{torch::nn::AnyModule(end)};
  const auto pass = block.propagate_parts(x);
  const auto signal = torch::randn({6, 3}, torch::kFloat64);
  EXPECT_FALSE(block.pullback(pass, signal).any().item<bool>());
  EXPECT_FALSE(block.pullback(pass, signal, /*to_input=*/false).defined());
  EXPECT_FALSE(end->linear->weight.grad().defined());
  block.tap_update(pass, {signal});
  expect_close(end->linear->weight.grad(), signal.t().mm(x), 1e-14);
}

// A network inside a network keeps its taps to itself: the outer one could not teach them.
TEST_F(TapTest, TapsOfAnInnerNetworkAreNotThoseOfTheOuter) {
  auto inner = net;
  ElectronicBlock outer(module_of([inner](const torch::Tensor& t) mutable {
    const torch::NoGradGuard fixed;
    const auto y = inner->forward(t).sum();
    const torch::AutoGradMode with_graph(true);
    return tap(t * 2) + y;
  }));
  EXPECT_EQ(outer.taps(outer.propagate_parts(x)).size(), 1U);
  ElectronicBlock block(module_of([inner](const torch::Tensor& t) mutable {
    return inner->propagate_parts(t).back().output + tap(t.sum());
  }));
  EXPECT_EQ(block.taps(block.propagate_parts(x)).size(), 1U);
}

}  // namespace
}  // namespace optotorch
