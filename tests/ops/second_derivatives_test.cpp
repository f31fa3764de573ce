// Second derivatives of every operator, against central differences of its gradient; and what has none says
// so.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/ops/activation.h>
#include <optotorch/ops/free_space.h>
#include <optotorch/ops/hadamard_projection.h>
#include <optotorch/ops/mzi_mesh.h>
#include <optotorch/ops/photodetect.h>
#include <optotorch/ops/random_projection.h>
#include <optotorch/ops/sepn.h>
#include <support/differences.h>
#include <support/errors.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <string>
#include <vector>

namespace optotorch {
namespace {

using Tensors = std::vector<at::Tensor>;

/// An operator with all but its tensors bound, and tensors to call it with.
struct DerivativeCase {
  std::string name;
  std::function<at::Tensor(const Tensors&)> call;
  Tensors tensors;
};

std::vector<DerivativeCase> derivative_cases() {
  at::manual_seed(12);
  const auto field = [](at::IntArrayRef shape) { return at::randn(shape, at::kComplexDouble); };
  const auto uniform = [](double low, double high, at::IntArrayRef shape) {
    return at::rand(shape, at::kDouble) * (high - low) + low;
  };
  const MeshLayout mesh{.ports = 3, .columns = 3};
  const ops::SepnLayout sepn{3, {1, 1, 1}};
  return {
      {"mzi_mesh",
       [=](const Tensors& t) {
         return ops::mzi_mesh(t[0], {t[1], t[2], t[3], t[4], t[5]}, mesh);
       },
       {field({2, 3}), uniform(-4, 4, {3}), uniform(-4, 4, {3}), uniform(-4, 4, {3}),
        uniform(-.3, .3, {3, 2}), uniform(.5, .9, {3, 2})}},
      {"mzi_mesh, ideal",
       [=](const Tensors& t) {
         return ops::mzi_mesh(t[0], {t[1], t[2]}, mesh);
       },
       {field({2, 3}), uniform(-4, 4, {3}), uniform(-4, 4, {3})}},
      {"mzi_mesh, with a screen and losses",
       [=](const Tensors& t) {
         return ops::mzi_mesh(t[0], {t[1], t[2], t[3], {}, t[4]}, mesh);
       },
       {field({2, 3}), uniform(-4, 4, {3}), uniform(-4, 4, {3}), uniform(-4, 4, {3}),
        uniform(.5, .9, {3, 2})}},
      {"photodetect", [](const Tensors& t) { return ops::photodetect(t[0]); }, {field({2, 3})}},
      {"electro_optic", [](const Tensors& t) { return ops::electro_optic(t[0], .1, .7, 3); }, {field({4})}},
      {"saturable_absorber",
       [](const Tensors& t) { return ops::saturable_absorber(t[0], 2, .8); },
       {field({4})}},
      {"mod_relu",
       [](const Tensors& t) { return ops::mod_relu(t[0], t[1]); },
       {field({2, 3}), uniform(-.4, .6, {3})}},
      {"free_space",
       [](const Tensors& t) { return ops::free_space(t[0], t[1], 2, 3); },
       {field({2, 2, 3, 2}), .4 * field({4, 5})}},
      {"free_space, of every plane",
       [](const Tensors& t) { return ops::free_space(t[0], t[1], 3, 2); },
       {field({2, 2, 2, 2}), .4 * field({2, 4, 3})}},
      {"sepn",
       [=](const Tensors& t) { return ops::sepn(t[0], t[1], sepn); },
       {field({2, 3}), .4 * at::randn({sepn.parameters(), 2}, at::kDouble)}},
  };
}

TEST(SecondDerivativesTest, AreThoseOfTheGradient) {
  for (const auto& one : derivative_cases()) {
    Tensors leaves;
    for (const auto& tensor : one.tensors) {
      leaves.push_back(tensor.clone().requires_grad_());
    }
    // A function of the gradient that no symmetry makes 0.
    const auto of_gradient = [&](bool create_graph) {
      const auto y = one.call(leaves);
      const auto loss = (at::real(y * y.conj()) + .1).log().sum();
      const auto gradient = torch::autograd::grad({loss}, leaves, {}, create_graph, create_graph);
      auto sum = at::zeros({}, at::kDouble);
      for (const auto& part : gradient) {
        const auto real = part.is_complex() ? at::view_as_real(part.resolve_conj()) : part;
        sum = sum + (real * at::arange(1, real.numel() + 1, at::kDouble).view(real.sizes()).cos()).sum();
      }
      return sum;
    };
    const auto second = torch::autograd::grad({of_gradient(true)}, leaves);
    double largest = 0;
    for (size_t i = 0; i < leaves.size(); ++i) {
      auto values = leaves[i].detach();
      const auto value = [&] {
        const at::AutoGradMode enabled(true);
        return of_gradient(false).item<double>();
      };
      testing::expect_close(second[i], testing::central_differences(value, values), 1e-6,
                            one.name + ", tensor " + std::to_string(i));
      largest = std::max(largest, second[i].abs().max().item<double>());
    }
    EXPECT_GT(largest, .1) << one.name;
  }
}

TEST(SecondDerivativesTest, OfTheReportedKindAreNotZero) {
  // By hand, at z = 1.5 + 0i of real part x: d2 |y|^2 / dx2 of y = x exp(-1 / (1 + x^2)) with depth 2.
  const auto x = at::full({1}, 1.5, at::kDouble).requires_grad_();
  const auto z = at::complex(x, at::zeros_like(x));
  const auto power = at::real(ops::saturable_absorber(z, 2, 1)).square().sum();
  const auto first = torch::autograd::grad({power}, {x}, {}, true, true)[0];
  const auto second = torch::autograd::grad({first}, {x})[0];
  // f = x^2 e^{-2 b}, b = 1 / (1 + x^2), b' = -2 x b^2
  const double v = 1.5, b = 1 / (1 + v * v), db = -2 * v * b * b, d2b = -2 * b * b - 4 * v * b * db;
  const double e = std::exp(-2 * b);
  EXPECT_NEAR(first.item<double>(), e * (2 * v - 2 * v * v * db), 1e-12);
  EXPECT_NEAR(second.item<double>(), e * (2 - 8 * v * db - 2 * v * v * d2b + 4 * v * v * db * db), 1e-12);
}

TEST(SecondDerivativesTest, ProjectionsHaveNoDerivativeAndSaySo) {
  const auto x = at::randn({2, 8}).requires_grad_();
  const auto random = ops::random_projection(x, 5, 1), hadamard = ops::hadamard_projection(x, 5, 1);
  EXPECT_TRUE(random.detach().equal(ops::random_projection(x.detach(), 5, 1)));
  EXPECT_SAYS(random.sum().backward(), "random_projection: x: expected");
  EXPECT_SAYS(hadamard.sum().backward(), "detach x");
}

}  // namespace
}  // namespace optotorch
