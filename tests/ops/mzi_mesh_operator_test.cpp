// The operator around the arithmetic (mzi_mesh_test.cpp): views, samples, states by name, autograd, wrong arguments.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/ops/mzi_mesh.h>
#include <support/mesh_cases.h>
#include <support/mesh_problems.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <numbers>
#include <vector>

namespace optotorch::ops {
namespace {

using namespace mesh_problems;

const Case plain_case{8, 8, 40, brick, out, cross, wire, true};

TEST(MziMeshOperatorTest, SamplesDoNotSeeEachOther) {
  for (const double least : {1.0, 0.9}) {
    auto c = plain_case;
    c.least_transmission = least;
    for (const auto real : {at::kFloat, at::kDouble}) {
      c.batch = 16;
      const auto p = problem(c, real);
      const auto y = mzi_mesh(p.input, p.mesh, c.layout());
      const auto dL_dx = mzi_mesh_backward(p.dL_doutput, p.input, y, p.mesh, c.layout()).dL_dinput;
      for (const int64_t cut : {1, 7, 15}) {
        const auto head = p.input.narrow(0, 0, cut), tail = p.input.narrow(0, cut, 16 - cut);
        const auto parts = at::cat({mzi_mesh(head, p.mesh, c.layout()), mzi_mesh(tail, p.mesh, c.layout())});
        EXPECT_TRUE(at::equal(parts, y));
        const auto tail_gradient = mzi_mesh_backward(p.dL_doutput.narrow(0, cut, 16 - cut), tail,
                                                     y.narrow(0, cut, 16 - cut), p.mesh, c.layout());
        EXPECT_TRUE(at::equal(tail_gradient.dL_dinput, dL_dx.narrow(0, cut, 16 - cut)));
      }
    }
  }
}

TEST(MziMeshOperatorTest, TakesViewsAsTheyAre) {
  const auto& c = plain_case;
  const auto p = problem(c, at::kDouble);
  const auto y = mzi_mesh(p.input, p.mesh, c.layout());
  const auto column_major = p.input.t().contiguous().t();
  EXPECT_TRUE(at::equal(mzi_mesh(column_major, p.mesh, c.layout()), y));
  const auto conjugate_view = p.input.conj().resolve_conj().conj();
  ASSERT_TRUE(conjugate_view.is_conj());
  EXPECT_TRUE(at::equal(mzi_mesh(conjugate_view, p.mesh, c.layout()), y));
  auto mesh = p.mesh;
  mesh.theta = at::stack({mesh.theta, mesh.phi}, 1).select(1, 0);
  EXPECT_TRUE(at::equal(mzi_mesh(p.input, mesh, c.layout()), y));
  const auto conjugate_signal = p.dL_doutput.conj().resolve_conj().conj();
  const auto a = list(mzi_mesh_backward(p.dL_doutput, p.input, y, p.mesh, c.layout()));
  const auto b =
      list(mzi_mesh_backward(conjugate_signal, column_major, y.t().contiguous().t(), mesh, c.layout()));
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i], b[i])) << names[i];
  }
}

TEST(MziMeshOperatorTest, NamedStatesAreWhatTheConventionsSay) {
  // theta = 0 crosses the light (cross) or lets it pass (bar); the other state is reached at pi.
  const auto input = at::eye(2, at::kComplexDouble);
  for (const auto state : {cross, bar}) {
    const MeshLayout layout{brick, 2, 1, out, state, wire};
    for (const double theta : {0.0, std::numbers::pi}) {
      const MeshTensors mesh{at::full({1}, theta, at::kDouble), at::zeros({1}, at::kDouble)};
      const auto power = mzi_mesh(input, mesh, layout).abs().square();
      const bool crosses = (state == cross) == (theta == 0.0);
      EXPECT_NEAR(power[0][1].item<double>(), crosses ? 1 : 0, 1e-15);
      EXPECT_NEAR(power[0][0].item<double>(), crosses ? 0 : 1, 1e-15);
    }
  }
}

TEST(MziMeshOperatorTest, AutogradReachesEveryTensor) {
  Case c = plain_case;
  c.errors = true;
  c.least_transmission = 0.9;
  auto p = problem(c, at::kDouble);
  std::vector<at::Tensor> leaves;
  const auto leaf = [&](at::Tensor& t) { leaves.push_back(t.requires_grad_(true)); };
  leaf(p.input);
  leaf(p.mesh.theta);
  leaf(p.mesh.phi);
  leaf(*p.mesh.screen);
  leaf(*p.mesh.splitter_error);
  leaf(*p.mesh.transmission);
  const auto y = mzi_mesh(p.input, p.mesh, c.layout());
  const auto found = torch::autograd::grad({y}, leaves, {p.dL_doutput});
  const auto [expected_y, expected] = reference(p, c);
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_LE(relative(found[i], expected[i]), 1e-12) << names[i];
  }
}

TEST(MziMeshOperatorTest, RejectsWrongArguments) {
  Case c = plain_case;
  c.errors = true;
  c.least_transmission = 0.9;
  for (const auto real : {at::kFloat, at::kDouble}) {
    const auto p = problem(c, real);
    const auto y = mzi_mesh(p.input, p.mesh, c.layout());
    const auto refuses = [&](const Problem& wrong) {
      EXPECT_THROW(mzi_mesh(wrong.input, wrong.mesh, c.layout()), c10::ValueError);
      EXPECT_THROW(mzi_mesh_backward(p.dL_doutput, wrong.input, y, wrong.mesh, c.layout()), c10::ValueError);
    };
    const auto with = [&](auto change) {
      auto wrong = p;
      wrong.mesh = to(p.mesh, at::kDouble);
      wrong.mesh = to(wrong.mesh, real);  // copies, not views of p's
      wrong.mesh.theta = p.mesh.theta.clone();
      change(wrong);
      return wrong;
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    const auto poke = [](const at::Tensor& t, double value) {
      auto copy = t.clone();
      copy.flatten()[t.numel() - 1] = value;
      return copy;
    };
    for (const double bad : {nan, infinity}) {
      refuses(with([&](Problem& w) { w.mesh.theta = poke(w.mesh.theta, bad); }));
      refuses(with([&](Problem& w) { w.mesh.phi = poke(w.mesh.phi, bad); }));
      refuses(with([&](Problem& w) { w.mesh.screen = poke(*w.mesh.screen, bad); }));
      refuses(with([&](Problem& w) { w.mesh.splitter_error = poke(*w.mesh.splitter_error, bad); }));
      refuses(with([&](Problem& w) { w.mesh.transmission = poke(*w.mesh.transmission, bad); }));
      // Without errors and loss another kernel looks at the phases.
      const auto ideal = [&](Problem w) {
        w.mesh.splitter_error.reset();
        w.mesh.transmission.reset();
        return w;
      };
      refuses(ideal(with([&](Problem& w) { w.mesh.theta = poke(w.mesh.theta, bad); })));
      refuses(ideal(with([&](Problem& w) { w.mesh.phi = poke(w.mesh.phi, bad); })));
      refuses(ideal(with([&](Problem& w) { w.mesh.screen = poke(*w.mesh.screen, bad); })));
    }
    refuses(with([&](Problem& w) { w.mesh.splitter_error = poke(*w.mesh.splitter_error, 1.01); }));
    refuses(with([&](Problem& w) { w.mesh.transmission = poke(*w.mesh.transmission, 0); }));
    refuses(with([&](Problem& w) { w.mesh.transmission = poke(*w.mesh.transmission, 1.01); }));
    refuses(with([&](Problem& w) { w.mesh.theta = w.mesh.theta.narrow(0, 1, 5); }));
    refuses(with([&](Problem& w) { w.mesh.screen = w.mesh.screen->narrow(0, 1, 5); }));
    const auto other = real == at::kFloat ? at::kDouble : at::kFloat;
    refuses(with([&](Problem& w) { w.mesh.phi = w.mesh.phi.to(other); }));
    refuses(with([&](Problem& w) { w.input = at::real(w.input); }));
    refuses(with([&](Problem& w) { w.input = w.input.unsqueeze(0).unsqueeze(0); }));
    EXPECT_THROW(mzi_mesh_backward(p.dL_doutput.narrow(0, 1, 3), p.input, y, p.mesh, c.layout()),
                 c10::ValueError);
    EXPECT_THROW(mzi_mesh_backward(p.dL_doutput, p.input, y.narrow(1, 1, 3), p.mesh, c.layout()),
                 c10::ValueError);
    EXPECT_THROW(mzi_mesh_backward(at::real(p.dL_doutput), p.input, y, p.mesh, c.layout()), c10::ValueError);
  }
}

}  // namespace
}  // namespace optotorch::ops
