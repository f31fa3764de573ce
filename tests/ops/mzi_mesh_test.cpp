#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/mzi_mesh.h>
#include <support/mesh_cases.h>
#include <support/mesh_problems.h>

#include <limits>
#include <numbers>
#include <vector>

namespace optotorch::ops {
namespace {

using namespace mesh_problems;

class MziMeshTest : public ::testing::TestWithParam<Case> {};

TEST_P(MziMeshTest, AgreesWithTheReferenceInDouble) {
  const auto& c = GetParam();
  const auto p = problem(c, at::kDouble);
  const auto [y, gradients] = reference(p, c);
  const auto ours = mzi_mesh(p.input, p.mesh, c.layout());
  EXPECT_LE(relative(ours, y), 1e-13);
  const auto found = list(mzi_mesh_backward(p.dL_doutput, p.input, ours, p.mesh, c.layout()));
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_LE(relative(found[i], gradients[i].reshape(found[i].sizes())), 1e-12) << names[i];
  }
}

TEST_P(MziMeshTest, AgreesWithTheReferenceInSinglePrecision) {
  const auto& c = GetParam();
  const auto p = problem(c, at::kFloat);
  const auto [y, gradients] = reference(p, c);
  const auto ours = mzi_mesh(p.input, p.mesh, c.layout());
  EXPECT_EQ(ours.scalar_type(), at::kComplexFloat);
  EXPECT_LE(relative(ours, y), 1.5e-6);
  const auto found = list(mzi_mesh_backward(p.dL_doutput, p.input, ours, p.mesh, c.layout()));
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(found[i].scalar_type(), i == 0 ? at::kComplexFloat : at::kFloat);
    EXPECT_LE(relative(found[i], gradients[i].reshape(found[i].sizes())), 3e-6) << names[i];
  }
}

// Gradients of the phases alone come another way from smaller batches on.
TEST_P(MziMeshTest, GradientsWithoutSignalsAgreeWithTheReference) {
  const auto& c = GetParam();
  for (const auto real : {at::kFloat, at::kDouble}) {
    const auto p = problem(c, real);
    const auto [y, gradients] = reference(p, c);
    const auto output = mzi_mesh(p.input, p.mesh, c.layout());
    const auto d = mzi_mesh_backward(p.dL_doutput, p.input, output, p.mesh, c.layout(), /*to_input=*/false);
    EXPECT_EQ(d.dL_dinput.numel(), 0);
    EXPECT_EQ(d.dL_dinput.scalar_type(), p.input.scalar_type());
    const auto found = list(d);
    for (size_t i = 1; i < names.size(); ++i) {
      EXPECT_LE(relative(found[i], gradients[i].reshape(found[i].sizes())), real == at::kFloat ? 3e-6 : 1e-12)
          << names[i];
    }
  }
}

TEST_P(MziMeshTest, AdjointIdentityHolds) {
  // Re <g, A x> = Re <A* g, x>.
  const auto& c = GetParam();
  const auto p = problem(c, at::kDouble);
  const auto y = mzi_mesh(p.input, p.mesh, c.layout());
  const auto dL_dx = mzi_mesh_backward(p.dL_doutput, p.input, y, p.mesh, c.layout()).dL_dinput;
  const double left = at::real(p.dL_doutput.conj() * y).sum().item<double>();
  const double right = at::real(dL_dx.conj() * p.input).sum().item<double>();
  const double size =
      p.dL_doutput.norm().item().toComplexDouble().real() * y.norm().item().toComplexDouble().real();
  EXPECT_LE(std::abs(left - right), 1e-13 * size);
}

TEST_P(MziMeshTest, ResultsDoNotDependOnTheNumberOfThreads) {
  const auto& c = GetParam();
  for (const auto real : {at::kFloat, at::kDouble}) {
    const auto p = problem(c, real);
    const int before = at::get_num_threads();
    std::vector<at::Tensor> first;
    for (const int threads : {1, 2, 4}) {
      at::set_num_threads(threads);
      const auto y = mzi_mesh(p.input, p.mesh, c.layout());
      auto results = list(mzi_mesh_backward(p.dL_doutput, p.input, y, p.mesh, c.layout()));
      results.push_back(y);
      if (first.empty()) first = results;
      for (size_t i = 0; i < results.size(); ++i) {
        EXPECT_TRUE(at::equal(results[i], first[i])) << "result " << i << " with " << threads << " threads";
      }
    }
    at::set_num_threads(before);
  }
}

TEST_P(MziMeshTest, LosslessMeshesAreUnitary) {
  const auto& c = GetParam();
  if (c.least_transmission < 1) return;
  for (const auto real : {at::kFloat, at::kDouble}) {
    const auto p = problem(c, real);
    const auto identity = at::eye(c.ports, p.input.options());
    const auto u = mzi_mesh(identity, p.mesh, c.layout()).to(at::kComplexDouble);
    const auto product = u.matmul(u.conj().t());
    const double tolerance = real == at::kFloat ? 2e-6 : 1e-14 * static_cast<double>(c.columns + 10);
    EXPECT_LE((product - identity.to(at::kComplexDouble)).abs().max().item<double>(), tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, MziMeshTest, ::testing::ValuesIn(cases));

class MziMeshLargeTest : public OneThreadTest {};

TEST_F(MziMeshLargeTest, SevenHundredPortsAreAsExact) {
  const Case c{784, 784, 3, brick, out, cross, wire, true};
  const auto p = problem(c, at::kFloat);
  const auto [y, gradients] = reference(p, c);
  for (const auto real : {at::kFloat, at::kDouble}) {
    const auto x = p.input.to(c10::toComplexType(real)), g = p.dL_doutput.to(x.scalar_type());
    const auto mesh = to(p.mesh, real);
    const auto ours = mzi_mesh(x, mesh, c.layout());
    EXPECT_LE(relative(ours, y), real == at::kFloat ? 2e-6 : 2e-13);
    const auto found = list(mzi_mesh_backward(g, x, ours, mesh, c.layout()));
    for (size_t i = 0; i < names.size(); ++i) {
      EXPECT_LE(relative(found[i], gradients[i].reshape(found[i].sizes())), real == at::kFloat ? 4e-6 : 2e-13)
          << names[i];
    }
  }
}

}  // namespace
}  // namespace optotorch::ops
