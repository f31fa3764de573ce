// What every layer owes to every rule, checked in float64: its pull-back is its derivative, and it
// complains as a module should.

#include <gtest/gtest.h>
#include <optotorch/modules/differentiable.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/layer_test.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::central_differences;
using testing::expect_close;
using testing::functional;
using testing::Takes;
using testing::Tensors;

class LayerContractTest : public testing::LayerTest {};

TEST_P(LayerContractTest, PullbackIsTheDerivative) {
  const auto w = weights_for(layer->propagate(x).output);
  const auto loss = [&] { return functional(w, layer->propagate(x).output).item<double>(); };
  torch::Tensor dL_dx;
  const auto gradients = gradients_by_pullback(w, &dL_dx);
  if (!GetParam().binary) {
    expect_close(dL_dx, central_differences(loss, x), 1e-8, "input");
  }
  for (auto& item : layer->named_parameters()) {
    if (!GetParam().rounds || item.key() == "bias") {
      expect_close(gradients.at(item.key()), central_differences(loss, item.value().detach()), 1e-8,
                   item.key());
    }
  }
}

TEST_P(LayerContractTest, AutogradGetsThePullback) {
  const auto w = weights_for(layer->propagate(x).output);
  torch::Tensor dL_dx;
  const auto expected = gradients_by_pullback(w, &dL_dx);
  const auto leaf = x.clone().requires_grad_();
  const auto y = differentiable(layer)->forward(leaf);
  EXPECT_TRUE(y.requires_grad());
  functional(w, y).backward();
  expect_close(leaf.grad(), dL_dx, 1e-14, "input");
  const auto gradients = take_gradients();
  for (const auto& [name, gradient] : expected) {
    expect_close(gradients.at(name), gradient, 1e-14, name);
  }
  // Data that asks for no gradient: the parameters get theirs all the same.
  const auto of_data = differentiable(layer)->forward(x);
  ASSERT_EQ(of_data.requires_grad(), !expected.empty());
  if (expected.empty()) {
    return;
  }
  functional(w, of_data).backward();
  EXPECT_FALSE(x.grad().defined());
  for (const auto& [name, gradient] : take_gradients()) {
    expect_close(gradient, expected.at(name), 1e-14, name);
  }
}

TEST_P(LayerContractTest, AdjointIdentity) {
  if (!GetParam().affine) {
    return;  // nonlinear
  }
  const auto pass = layer->propagate(x);
  const auto dark = layer->propagate(at::zeros_like(x)).output;
  const auto a_x = pass.output - dark;
  const auto y = weights_for(a_x);
  const auto adjoint_y = layer->pullback(pass, y);
  if (x.is_complex() && y.is_complex()) {
    const auto left = at::vdot(a_x.flatten(), y.flatten()),
               right = at::vdot(x.flatten(), adjoint_y.flatten());
    EXPECT_LE((left - right).abs().item<double>(), 1e-12 * left.abs().item<double>());
  } else {
    const double left = functional(a_x, y).item<double>(), right = functional(x, adjoint_y).item<double>();
    EXPECT_NEAR(left, right, 1e-12 * std::abs(left));
  }
}

TEST_P(LayerContractTest, WithoutInputTheParametersGetTheSame) {
  const auto pass = layer->propagate(x);
  const auto w = weights_for(pass.output);
  layer->pullback(pass, w);
  const auto expected = take_gradients();
  for (const auto hook : {&Layer::pullback, &Layer::dfa_update, &Layer::dat_update, &Layer::tpfp_update}) {
    if (hook == &Layer::tpfp_update && layer->role() == Layer::Role::response &&
        dynamic_cast<ElectronicBlock*>(layer.get()) != nullptr && pass.output.sizes() == x.sizes()) {
      continue;  // nothing to train, and nothing is pulled back
    }
    if (hook == &Layer::tpfp_update && GetParam().measures) {
      continue;  // the signal stands elsewhere: physical_network_test.cpp
    }
    (layer.get()->*hook)(pass, w, /*to_input=*/false);
    expect_equal(take_gradients(), expected, "to_input=false");
  }
}

// A difference of two passes already carries the slope of a response: it is handed on, not pulled back again.
TEST_P(LayerContractTest, ResponsesHandATwoPassDifferenceOn) {
  if (GetParam().measures) {
    return;  // a component with its detector in one: physical_network_test.cpp
  }
  const auto pass = layer->propagate(x);
  if (layer->role() != Layer::Role::response) {
    const auto w = weights_for(pass.output);
    expect_close(layer->tpfp_update(pass, w, true), layer->pullback(pass, w), 1e-15, "component or source");
    return;
  }
  const auto w = weights_for(pass.output);
  torch::Tensor expected = w.sizes() == x.sizes() ? w.to(x.scalar_type()) : layer->pullback(pass, w);
  if (layer->name() == "Photodetector" && w.size(-1) == x.size(-1) / 2) {
    expected = at::stack({w, -w}, -1).flatten(-2).to(torch::kComplexDouble);  // balanced
  }
  if (layer->name() == "Camera" && w.sizes() != x.sizes()) {
    expected = torch::zeros_like(x);  // pixels outside of its region got no signal
    expected.narrow(2, 1, 2).narrow(3, 0, 3).copy_(w.expand({-1, 2, -1, -1}));
  }
  EXPECT_TRUE(layer->tpfp_update(pass, w, true).equal(expected));
}

TEST_P(LayerContractTest, GradientsAccumulateAndSignalsStayAsTheyWere) {
  const auto pass = layer->propagate(x);
  const auto input = pass.input.clone(), output = pass.output.clone();
  const auto w = weights_for(output);
  const auto w_before = w.clone();
  layer->pullback(pass, w);
  Tensors once;
  for (const auto& item : layer->named_parameters()) {
    once[item.key()] = item.value().grad().clone();
  }
  layer->pullback(pass, w);
  for (const auto& item : layer->named_parameters()) {
    expect_close(item.value().grad(), 2 * once.at(item.key()), 1e-15, item.key());
    EXPECT_FALSE(item.value().grad().requires_grad());
  }
  EXPECT_TRUE(pass.input.equal(input));
  EXPECT_TRUE(pass.output.equal(output));
  EXPECT_TRUE(w.equal(w_before));
}

TEST_P(LayerContractTest, SamplesAreIndependent) {
  if (GetParam().mixes_samples) {
    return;  // by design they are not
  }
  const auto pass = layer->propagate(x);
  const auto w = weights_for(pass.output);
  const auto dL_dx = layer->pullback(pass, w);
  const auto together = take_gradients();
  for (int64_t b = 0; b < batch; ++b) {
    const auto alone = layer->propagate(x.narrow(0, b, 1));
    expect_close(alone.output, pass.output.narrow(0, b, 1), 1e-13);
    expect_close(layer->pullback(alone, w.narrow(0, b, 1)), dL_dx.narrow(0, b, 1), 1e-13);
  }
  for (const auto& [name, gradient] : take_gradients()) {
    expect_close(gradient, together.at(name), 1e-13, name);
  }
}

// A bare layer would cut the graph that its input belongs to.
TEST_P(LayerContractTest, ForwardRefusesAnInputThatRequiresGrad) {
  const auto leaf = x.clone().requires_grad_();
  for (const bool training : {true, false}) {
    layer->train(training);
    EXPECT_SAYS(layer->forward(leaf), "differentiable(layer)");
    const torch::NoGradGuard no_grad;
    EXPECT_FALSE(layer->forward(leaf).requires_grad());
  }
}

TEST_P(LayerContractTest, ForwardHasNoGraphAndEvalModeAgrees) {
  const auto leaf = x.clone().requires_grad_();
  const auto trained = layer->forward(x);
  EXPECT_FALSE(trained.requires_grad());
  EXPECT_FALSE(layer->propagate(leaf).output.requires_grad());
  layer->eval();
  const auto deployed = layer->forward(x);
  EXPECT_FALSE(deployed.requires_grad());
  if (GetParam().measures) {
    EXPECT_THROW(layer->deploy(), c10::ValueError);
  } else {
    EXPECT_TRUE(deployed.equal(layer->deploy().forward(x)));
  }
  if (!GetParam().mixes_samples) {
    expect_close(deployed, trained, 1e-12);
    expect_close(layer->propagate(x).output, deployed, 1e-12);
  }
}

TEST_P(LayerContractTest, StridedAndConjugatedInputsAreReadRight) {
  const auto other = testing::random_batch(GetParam(), batch, torch::kFloat64);
  const auto strided = at::stack({x, other}, -1).select(-1, 0);
  const auto pass = layer->propagate(x);
  expect_close(layer->propagate(strided).output, pass.output, 1e-14, "strided");
  if (x.is_complex()) {
    const auto conjugated = layer->propagate(x.conj());
    const auto plain = layer->propagate(x.conj().resolve_conj());
    expect_close(conjugated.output, plain.output, 1e-14, "conjugated");
    const auto w = weights_for(plain.output);
    expect_close(layer->pullback(conjugated, w), layer->pullback(plain, w), 1e-14, "conjugated");
  }
  if (pass.output.is_complex()) {
    const auto w = weights_for(pass.output);
    take_gradients();
    const auto lazy = layer->pullback(pass, w.conj());
    const auto by_lazy = take_gradients();
    expect_close(lazy, layer->pullback(pass, w.conj().resolve_conj()), 1e-14, "conjugated signal");
    for (const auto& [name, gradient] : take_gradients()) {
      expect_close(by_lazy.at(name), gradient, 1e-14, name);
    }
  }
}

TEST_P(LayerContractTest, WrongInputIsRejected) {
  const bool electronic = std::dynamic_pointer_cast<ElectronicBlock>(layer) != nullptr;
  EXPECT_THROW(layer->forward(torch::Tensor()), c10::ValueError);
  EXPECT_THROW(layer->propagate(torch::Tensor()), c10::ValueError);
  if (!electronic) {
    const auto wrong_kind = x.is_complex() ? at::real(x) : at::complex(x, x);
    EXPECT_THROW(layer->forward(wrong_kind), c10::ValueError);
    EXPECT_THROW(layer->forward(at::real(x).to(torch::kInt64)), c10::ValueError);
    if (layer->name() != "ElectroOpticActivation" && layer->name() != "SaturableAbsorber" &&
        layer->name() != "KerrActivation" && layer->name() != "Digitizer") {  // any shape
      EXPECT_THROW(layer->forward(x.select(0, 0).flatten()), c10::ValueError);
    }
  }
  const auto pass = layer->propagate(x);
  EXPECT_THROW(layer->pullback(pass, torch::Tensor()), c10::ValueError);
  EXPECT_THROW(layer->pullback(pass, at::cat({pass.output, pass.output})), c10::ValueError);
  EXPECT_THROW(layer->pullback(pass, pass.output.unsqueeze(0)), c10::ValueError);
  if (!pass.output.is_complex()) {
    EXPECT_THROW(layer->pullback(pass, at::complex(pass.output, pass.output)), c10::ValueError);
  }
  for (auto& parameter : layer->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_P(LayerContractTest, PrintsItself) {
  std::ostringstream stream;
  stream << *layer;
  EXPECT_GE(stream.str().size(), 4U);
  if (std::dynamic_pointer_cast<ElectronicBlock>(layer) == nullptr) {
    EXPECT_EQ(stream.str().rfind("optotorch::" + layer->name() + "(", 0), 0U) << stream.str();
    EXPECT_EQ(stream.str().back(), ')') << stream.str();
  }
}

TEST_P(LayerContractTest, ParametersAreRealLeavesThatLearn) {
  for (const auto& parameter : layer->parameters()) {
    EXPECT_TRUE(parameter.is_leaf());
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_TRUE(parameter.is_floating_point());
  }
}

INSTANTIATE_TEST_SUITE_P(All, LayerContractTest, ::testing::ValuesIn(testing::layer_cases()),
                         testing::row_name);

// A rounded weight has the slope of the unrounded one.
TEST(LayerContractTest, RoundedWeightsPassTheSlopeStraightThrough) {
  torch::manual_seed(5);
  WeightBank rounded(WeightBankOptions(6, 4).bits(3).gain(1.7));
  WeightBank smooth(WeightBankOptions(6, 4).gain(1.7));
  rounded->to(torch::kFloat64);
  smooth->to(torch::kFloat64);
  smooth->detuning.detach().copy_(rounded->detuning);
  smooth->bias.detach().copy_(rounded->bias);
  // 2^3 levels, evenly spaced, the ends among them.
  const auto levels = (rounded->weight() + 1) * 3.5;
  EXPECT_LE((levels - levels.round()).abs().max().item<double>(), 1e-12);
  EXPECT_GT((rounded->weight() - smooth->weight()).abs().max().item<double>(), 0.01);
  EXPECT_LE((rounded->weight() - smooth->weight()).abs().max().item<double>(), 1.0 / 7 + 1e-12);
  const auto x = torch::randn({5, 6}, torch::kFloat64), w = torch::randn({5, 4}, torch::kFloat64);
  rounded->pullback(rounded->propagate(x), w);
  smooth->pullback(smooth->propagate(x), w);
  expect_close(rounded->detuning.grad(), smooth->detuning.grad(), 1e-14, "detuning");
  expect_close(rounded->bias.grad(), smooth->bias.grad(), 1e-14, "bias");
  // The smooth bank's own slope is a derivative by the table above.
}

TEST(LayerContractTest, PassCountSurvivesConversion) {
  Photodetector detector(PhotodetectorOptions().thermal_noise(0.1));
  detector->passes.fill_((int64_t{1} << 40) + 1);
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    detector->to(type);
    EXPECT_EQ(detector->passes.scalar_type(), torch::kInt64);
    EXPECT_EQ(detector->passes.item<int64_t>(), (int64_t{1} << 40) + 1);
    detector->to(torch::kCPU, type);
    EXPECT_EQ(detector->passes.scalar_type(), torch::kInt64);
  }
}

// LibTorch's autograd may return the signal itself as a gradient: a later accumulation must not change it.
struct OffsetImpl : torch::nn::Module {
  OffsetImpl() : offset(register_parameter("offset", torch::ones({1, 4}))) {}
  torch::Tensor forward(const torch::Tensor& x) { return x + offset; }
  torch::Tensor offset;
};
TORCH_MODULE(Offset);

TEST(LayerContractTest, AccumulatingLeavesTheSignalAlone) {
  ElectronicBlock block{torch::nn::AnyModule(Offset())};
  const auto pass = block.propagate(torch::randn({1, 4}));
  const auto signal = torch::ones({1, 4});
  block.pullback(pass, signal);
  block.pullback(pass, signal);
  EXPECT_TRUE(signal.equal(torch::ones({1, 4})));
  EXPECT_TRUE(block.parameters()[0].grad().equal(torch::full({1, 4}, 2.0)));
}

}  // namespace
}  // namespace optotorch
