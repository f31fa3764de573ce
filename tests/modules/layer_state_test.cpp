// A layer's tensors: cloned, saved, loaded, converted.

#include <gtest/gtest.h>
#include <support/differences.h>
#include <support/layer_test.h>
#include <torch/serialize.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

class LayerStateTest : public testing::LayerTest {};

TEST_P(LayerStateTest, CloneIsDeepAndEqual) {
  for (const bool training : {true, false}) {
    layer->train(training);
    const auto copy_of_layer = std::dynamic_pointer_cast<Layer>(layer->clone());
    ASSERT_NE(copy_of_layer, nullptr);
    expect_equal(state(*copy_of_layer), state(*layer), "clone");
    for (const auto& module : copy_of_layer->modules(/*include_self=*/false)) {
      EXPECT_EQ(module->is_training(), training);
    }
    if (std::dynamic_pointer_cast<ElectronicBlock>(layer) == nullptr) {
      EXPECT_EQ(copy_of_layer->is_training(), training);
    }
    EXPECT_EQ(copy_of_layer->name(), layer->name());
    EXPECT_EQ(copy_of_layer->role(), layer->role());
    if (!training) {
      EXPECT_TRUE(copy_of_layer->forward(x).equal(layer->forward(x)));
    }
    for (auto& parameter : copy_of_layer->parameters()) {
      EXPECT_FALSE(parameter.grad().defined());
    }
    const auto before = copy(state(*layer));
    const torch::NoGradGuard no_grad;
    for (auto& [name, tensor] : state(*copy_of_layer)) {
      tensor.add_(1);
    }
    expect_equal(state(*layer), before, "the original after a change of the clone");
  }
}

TEST_P(LayerStateTest, OnlyRealNumbersAreConverted) {
  const auto made = GetParam().make();  // the fixture's is converted already
  if (std::dynamic_pointer_cast<ElectronicBlock>(made) != nullptr) {
    return;  // LibTorch's modules convert all that they hold
  }
  std::map<std::string, torch::ScalarType> types;
  for (const auto& [name, tensor] : state(*made)) {
    types[name] = tensor.scalar_type();
  }
  const auto expect_types = [&](torch::ScalarType real) {
    for (const auto& [name, tensor] : state(*made)) {
      const bool whole = c10::isIntegralType(types.at(name), /*includeBool=*/true);
      EXPECT_EQ(tensor.scalar_type(), whole ? types.at(name) : real) << name;
    }
  };
  made->to(torch::kFloat64);
  expect_types(torch::kFloat64);
  made->to(torch::kCPU, torch::kFloat32);
  expect_types(torch::kFloat32);
}

TEST_P(LayerStateTest, SaveAndLoadRoundTrip) {
  layer->propagate(x);  // running statistics move
  std::stringstream file;
  torch::save(layer, file);
  auto loaded = GetParam().make();
  loaded->to(torch::kFloat64);
  const auto leaves = loaded->parameters();
  torch::load(loaded, file);
  expect_equal(state(*loaded), state(*layer), "loaded");
  for (size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_TRUE(leaves[i].is_same(loaded->parameters()[i]));
    EXPECT_EQ(leaves[i].requires_grad(), layer->parameters()[i].requires_grad());
  }
  layer->eval();
  loaded->eval();
  EXPECT_TRUE(loaded->forward(x).equal(layer->forward(x)));
}

TEST_P(LayerStateTest, LoadOfAnotherShapeOrTypeChangesNothing) {
  if (layer->parameters().empty()) {
    return;
  }
  const auto before = copy(state(*layer));
  auto other = GetParam().of_another_shape();
  other->to(torch::kFloat64);
  auto single = GetParam().make();
  single->to(torch::kFloat32);
  for (const auto& source : {other, single}) {
    std::stringstream file;
    torch::save(source, file);
    EXPECT_THROW(torch::load(layer, file), c10::Error);
    expect_equal(state(*layer), before, "after a rejected load");
  }
  std::stringstream file;
  torch::save(std::static_pointer_cast<Layer>(std::make_shared<ModulatorImpl>(2)), file);
  EXPECT_ANY_THROW(torch::load(layer, file));
  expect_equal(state(*layer), before, "after a load of a file without tensors");
}

TEST_P(LayerStateTest, BothPrecisions) {
  const auto w = weights_for(layer->propagate(x).output);
  torch::Tensor dL_dx;
  const auto expected = gradients_by_pullback(w, &dL_dx);
  const auto y = layer->propagate(x).output;
  layer->to(torch::kFloat32);
  const auto complex_or_real = [](const torch::Tensor& t) {
    return t.to(t.is_complex() ? torch::kComplexFloat : torch::kFloat32);
  };
  const auto pass = layer->propagate(complex_or_real(x));
  expect_close(pass.output, complex_or_real(y), 1e-5, "output");
  // A signal of the other precision is converted.
  expect_close(layer->pullback(pass, w), complex_or_real(dL_dx), 1e-4, "signal");
  for (const auto& [name, gradient] : take_gradients()) {
    expect_close(gradient, complex_or_real(expected.at(name)), 1e-4, name);
  }
  if (!layer->parameters().empty()) {
    EXPECT_THROW(layer->forward(x), c10::Error);
    EXPECT_THROW(layer->propagate(x), c10::Error);
    layer->eval();
    EXPECT_THROW(layer->forward(x), c10::Error);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LayerStateTest, ::testing::ValuesIn(testing::layer_cases()), testing::row_name);

}  // namespace
}  // namespace optotorch
