#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/activation.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>
#include <functional>

namespace optotorch {
namespace {

using testing::expect_close;

/// An activation with its parameters: fast, reference, and fast pull-back.
struct Activation {
  std::string name;
  std::function<at::Tensor(const at::Tensor&)> fast, reference;
  std::function<at::Tensor(const at::Tensor&, const at::Tensor&)> backward;
};

Activation electro_optic(const std::string& name, double tap, double gain, double bias) {
  return {name, [=](const auto& z) { return ops::electro_optic(z, tap, gain, bias); },
          [=](const auto& z) { return ops::electro_optic_reference(z, tap, gain, bias); },
          [=](const auto& g, const auto& z) { return ops::electro_optic_backward(g, z, tap, gain, bias); }};
}

Activation absorber(const std::string& name, double depth, double saturation) {
  return {name, [=](const auto& z) { return ops::saturable_absorber(z, depth, saturation); },
          [=](const auto& z) { return ops::saturable_absorber_reference(z, depth, saturation); },
          [=](const auto& g, const auto& z) {
            return ops::saturable_absorber_backward(g, z, depth, saturation);
          }};
}

Activation mod_relu(const std::string& name, double low, double high) {
  const auto bias = [=](const at::Tensor& z) {
    return at::linspace(low, high, z.size(-1), c10::toRealValueType(z.scalar_type()));
  };
  return {name, [=](const auto& z) { return ops::mod_relu(z, bias(z)); },
          [=](const auto& z) { return ops::mod_relu_reference(z, bias(z)); },
          [=](const auto& g, const auto& z) { return std::get<0>(ops::mod_relu_backward(g, z, bias(z))); }};
}

class ActivationTest : public ::testing::TestWithParam<Activation> {
 protected:
  ActivationTest() { at::manual_seed(5); }
};

TEST_P(ActivationTest, IsTheReference) {
  for (const auto& shape : std::vector<std::vector<int64_t>>{{7, 5}, {3}, {2, 3, 4, 5}, {0, 4}}) {
    const auto z = at::randn(shape, at::kComplexDouble);
    expect_close(GetParam().fast(z), GetParam().reference(z), 1e-14);
    expect_close(GetParam().fast(z.to(at::kComplexFloat)), GetParam().reference(z).to(at::kComplexFloat),
                 1e-5);
  }
}

TEST_P(ActivationTest, ReadsStridedAndConjugatedFields) {
  const auto z = at::randn({6, 8}, at::kComplexDouble), g = at::randn({8, 6}, at::kComplexDouble);
  expect_close(GetParam().fast(z.t()).contiguous(), GetParam().fast(z.t().contiguous()), 1e-15);
  expect_close(GetParam().fast(z.conj()), GetParam().fast(z.conj().resolve_conj()), 1e-15);
  expect_close(GetParam().backward(g.conj(), z.mH()).contiguous(),
               GetParam().backward(g.conj().resolve_conj(), z.mH().resolve_conj().contiguous()), 1e-15);
}

TEST_P(ActivationTest, BackwardIsTheDerivative) {
  auto z = at::randn({4, 5}, at::kComplexDouble);
  const auto w = at::randn({4, 5}, at::kComplexDouble);
  const auto functional = [&](const at::Tensor& y) { return at::real(w.conj() * y).sum(); };
  const auto by_operator = GetParam().backward(w, z);
  expect_close(by_operator,
               testing::central_differences([&] { return functional(GetParam().fast(z)).item<double>(); }, z),
               1e-8);
  const auto leaf = z.clone().requires_grad_(), reference = z.clone().requires_grad_();
  functional(GetParam().fast(leaf)).backward();
  functional(GetParam().reference(reference)).backward();
  expect_close(leaf.grad(), by_operator, 1e-15);
  expect_close(leaf.grad(), reference.grad(), 1e-12);
  expect_close(GetParam().backward(w.to(at::kComplexFloat), z.to(at::kComplexFloat)),
               by_operator.to(at::kComplexFloat), 1e-4);
}

TEST_P(ActivationTest, DarknessIsDarkAndItsGradientFinite) {
  const auto z = at::zeros({2, 5}, at::kComplexDouble);
  EXPECT_TRUE(GetParam().fast(z).equal(z));
  EXPECT_TRUE(GetParam().reference(z).equal(z));
  const auto dL_dz = GetParam().backward(at::ones_like(z), z);
  EXPECT_TRUE(at::view_as_real(dL_dz).isfinite().all().item<bool>());
}

TEST_P(ActivationTest, DoesNotDependOnThreads) {
  const auto z = at::randn({3000, 17}, at::kComplexDouble), g = at::randn({3000, 17}, at::kComplexDouble);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto y = GetParam().fast(z), dL_dz = GetParam().backward(g, z);
  at::set_num_threads(3);
  const auto y3 = GetParam().fast(z), dL_dz3 = GetParam().backward(g, z);
  at::set_num_threads(threads);
  EXPECT_TRUE(y.equal(y3));
  EXPECT_TRUE(dL_dz.equal(dL_dz3));
}

TEST_P(ActivationTest, MetaHasTheShape) {
  const auto z = at::empty({3, 5}, at::TensorOptions(at::kComplexFloat).device(at::kMeta));
  if (GetParam().name.rfind("ModRelu", 0) == 0) {
    const auto y = ops::mod_relu(z, at::empty({5}, at::TensorOptions(at::kFloat).device(at::kMeta)));
    EXPECT_EQ(y.sizes(), z.sizes());
    EXPECT_TRUE(y.is_meta());
    return;
  }
  const auto y = GetParam().fast(z);
  EXPECT_TRUE(y.is_meta());
  EXPECT_EQ(y.sizes(), z.sizes());
  EXPECT_EQ(y.scalar_type(), z.scalar_type());
}

TEST_P(ActivationTest, RejectsRealFieldsAndForeignSignals) {
  const auto z = at::randn({2, 5}, at::kComplexFloat);
  expect_complaint({"complex64 or complex128", "float32 [2, 5]"}, [] { GetParam().fast(at::ones({2, 5})); });
  expect_complaint({"dL_dy", "complex64 [2, 5]", "complex64 [5, 2]"}, [&] {
    GetParam().backward(at::ones({5, 2}, at::kComplexFloat), z);
  });
  expect_complaint({"dL_dy", "complex64 [2, 5]", "complex128 [2, 5]"}, [&] {
    GetParam().backward(at::ones({2, 5}, at::kComplexDouble), z);
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, ActivationTest,
                         ::testing::Values(electro_optic("ElectroOptic", 0.1, 0.05 * pi, pi),
                                           electro_optic("ElectroOpticStrong", 0, 3, -0.4),
                                           absorber("Absorber", 2, 1), absorber("AbsorberDeep", 9, 0.1),
                                           absorber("AbsorberClear", 0, 1), mod_relu("ModRelu", -1.2, -0.1),
                                           mod_relu("ModReluGain", 0, 0.8)),
                         [](const auto& info) { return info.param.name; });

TEST(ActivationTest, PublishedValuesByHand) {
  const auto value = [](double re, double im) {
    return at::complex(at::full({1}, re, at::kDouble), at::full({1}, im, at::kDouble));
  };
  const auto is = [](const at::Tensor& y, std::complex<double> expected) {
    EXPECT_LE(std::abs(std::complex<double>(y.item<c10::complex<double>>()) - expected), 1e-14);
  };
  // |z|^2 = 25, p = (0.05 pi 25 + pi) / 2 = 1.125 pi
  const std::complex<double> z(3, 4);
  is(ops::electro_optic(value(3, 4), 0.1, 0.05 * pi, pi),
     std::sqrt(0.9) * std::cos(1.125 * pi) * std::polar(1.0, -1.125 * pi) * z);
  is(ops::saturable_absorber(value(3, 4), 2, 5), std::exp(-1.0 / 6) * z);
  is(ops::mod_relu(value(3, 4), at::full({1}, -1, at::kDouble)), 0.8 * z);
  is(ops::mod_relu(value(3, 4), at::full({1}, -5.5, at::kDouble)), 0);
}

TEST(ActivationTest, NoneAmplifies) {
  at::manual_seed(6);
  const auto z = 5 * at::randn({1000}, at::kComplexDouble);
  EXPECT_TRUE(
      (ops::electro_optic(z, 0.1, 2, 1).abs() <= std::sqrt(0.9) * z.abs() + 1e-12).all().item<bool>());
  EXPECT_TRUE((ops::saturable_absorber(z, 2, 1).abs() <= z.abs()).all().item<bool>());
}

// dL_dbias, for fields with several leading dimensions, and where no light passes.
TEST(ActivationTest, ModReluBias) {
  at::manual_seed(7);
  auto z = at::randn({3, 2, 4}, at::kComplexDouble);
  z.select(2, 3).mul_(1e-3);  // never passes
  z[0][0][0] = 0;             // exactly dark
  const auto w = at::randn({3, 2, 4}, at::kComplexDouble);
  auto bias = at::tensor({-0.3, -0.8, 0.0, -0.5}, at::kDouble);
  const auto loss = [&] { return at::real(w.conj() * ops::mod_relu(z, bias)).sum().item<double>(); };
  const auto [dL_dz, dL_dbias] = ops::mod_relu_backward(w, z, bias);
  expect_close(dL_dbias, testing::central_differences(loss, bias), 1e-9);
  EXPECT_EQ(dL_dbias[3].item<double>(), 0);
  EXPECT_TRUE(at::view_as_real(dL_dz).isfinite().all().item<bool>());
  const auto leaf = bias.clone().requires_grad_();
  at::real(w.conj() * ops::mod_relu(z, leaf)).sum().backward();
  expect_close(leaf.grad(), dL_dbias, 1e-15);
}

// |z|^2 has left its type long before |z| has: the field goes on to pass, and its gradient, b / |z| across
// the field and 1 along it, is finite.
TEST(ActivationTest, ModReluOfNearlyDarkPorts) {
  for (const double size : {1e-8, 1e-13, 1e-19, 1e-22, 1e-30, 1e-37}) {
    const auto z = at::full({1}, c10::complex<double>(0.6 * size, 0.8 * size), at::kComplexFloat);
    const auto across = at::full({1}, c10::complex<double>(-0.8, 0.6), at::kComplexFloat);
    const auto b = at::full({1}, 0.25);
    expect_close(at::view_as_real(ops::mod_relu(z, b)), at::tensor({0.15, 0.2}, at::kFloat).view({1, 2}),
                 1e-6);
    const auto [dL_dz, dL_db] = ops::mod_relu_backward(across, z, b);
    expect_close(at::view_as_real(dL_dz * size), at::tensor({-0.2, 0.15}, at::kFloat).view({1, 2}), 1e-5,
                 std::to_string(size));
    EXPECT_NEAR(dL_db.item<double>(), 0, 1e-6);
    EXPECT_NEAR(std::get<1>(ops::mod_relu_backward(z / size, z, b)).item<double>(), 1, 1e-6);
  }
}

TEST(ActivationTest, FieldsWithoutPorts) {
  const auto z = at::empty({3, 0}, at::kComplexFloat), b = at::empty({0});
  EXPECT_EQ(ops::mod_relu(z, b).sizes(), z.sizes());
  const auto [dL_dz, dL_db] = ops::mod_relu_backward(z, z, b);
  EXPECT_EQ(dL_dz.sizes(), z.sizes());
  EXPECT_EQ(dL_db.sizes(), b.sizes());
}

TEST(ActivationTest, SaysWhatIsWrong) {
  const auto z = at::ones({2, 3}, at::kComplexFloat);
  for (const double tap : {-0.1, 1.0, std::nan("")}) {
    expect_complaint({"electro_optic", "tap", "[0, 1)"}, [&] { ops::electro_optic(z, tap, 1, 1); });
    expect_complaint({"electro_optic", "tap"}, [&] { ops::electro_optic_backward(z, z, tap, 1, 1); });
  }
  expect_complaint({"saturable_absorber", "depth >= 0"}, [&] { ops::saturable_absorber(z, -1, 1); });
  expect_complaint({"saturable_absorber", "saturation > 0"}, [&] { ops::saturable_absorber(z, 1, 0); });
  expect_complaint({"mod_relu", "bias", "complex64 [2, 3]", "float32 [2]"},
                   [&] { ops::mod_relu(z, at::zeros({2})); });
  expect_complaint({"mod_relu", "bias", "float64 [3]"},
                   [&] { ops::mod_relu(z, at::zeros({3}, at::kDouble)); });
  expect_complaint({"mod_relu", "bias"},
                   [&] { ops::mod_relu(at::ones({}, at::kComplexFloat), at::zeros({1})); });
}

}  // namespace
}  // namespace optotorch
