#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/mzi_mesh.h>
#include <support/mesh_cases.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <numbers>
#include <ostream>
#include <vector>

namespace optotorch::ops {
namespace {

/// One mesh and one batch; `loss` is the least transmission of an arm (1: no transmission tensor).
struct Case {
  int64_t ports, columns, batch;
  MeshGrid grid = MeshGrid::rectangular;
  PhiArm phi_arm = PhiArm::output;
  ZeroState zero_state = ZeroState::cross;
  IdlePort idle_port = IdlePort::wire;
  bool screen = false;
  bool errors = false;
  double least_transmission = 1;

  MeshLayout layout() const { return {grid, ports, columns, phi_arm, zero_state, idle_port}; }
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.ports << " ports, " << c.columns << " columns, batch " << c.batch << ", " << to_string(c.grid)
       << ", phi " << to_string(c.phi_arm) << ", " << to_string(c.zero_state) << ", "
       << to_string(c.idle_port) << (c.screen ? ", screen" : "") << (c.errors ? ", errors" : "")
       << ", transmission " << c.least_transmission;
}

const auto triangle = MeshGrid::triangular;
const auto brick = MeshGrid::rectangular;
const auto in = PhiArm::input;
const auto out = PhiArm::output;
const auto cross = ZeroState::cross;
const auto bar = ZeroState::bar;
const auto wire = IdlePort::wire;
const auto dummy = IdlePort::bar;

const std::vector<Case> cases = {
    {2, 1, 5},
    {2, 2, 1, brick, in, bar, dummy, true},  // the second column has no MZI
    {3, 3, 0, brick, out, cross, wire, true, true, 0.9},
    {3, 3, 0},
    {3, 4, 31, brick, in, cross, dummy, true},
    {4, 5, 32, triangle, out, bar, dummy, true},
    {5, 5, 33, brick, out, cross, wire, true, true},
    {5, 7, 33, triangle, in, cross, wire, true, false, 0.7},
    {7, 11, 17, triangle, in, bar, dummy, true, true, 0.9},
    {8, 8, 300, brick, in, cross, wire, true},
    {8, 8, 300, brick, out, bar, dummy, true, true, 0.8},
    {9, 20, 300, brick, out, cross, dummy},
    {16, 16, 64, brick, out, bar, wire, true},
    {16, 64, 33, brick, out, cross, wire, false, false, 0.5},    // heavy loss: 2^-64 over the mesh
    {16, 12, 33, brick, in, bar, dummy, true, true, 0.01},       // one segment a column
    {17, 31, 40, triangle, out, cross, wire, true, true, 0.99},  // a few segments
    {33, 40, 70, brick, in, cross, dummy, true},
    {64, 64, 128, brick, out, bar, wire, true},
    {64, 64, 16, brick, in, cross, wire, false, true},
    // Tiles that leave the cache are swept in bands of ports.
    {97, 40, 33, brick, out, cross, dummy, true},
    {112, 17, 5, brick, in, bar, wire, true},
    {113, 49, 5, brick, out, bar, wire},
    {225, 33, 3, brick, in, cross, dummy, true},
    {226, 34, 3, brick, out, cross, wire, true},
    {240, 15, 3, brick, in, cross, wire},
    {100, 197, 5, triangle, out, cross, wire, true},
    {120, 70, 5, triangle, in, bar, dummy, true},
    // Batches large enough for the gradients to come from one matrix.
    {3, 10, 71, brick, in, cross, dummy, true},
    {17, 31, 99, triangle, in, cross, wire, true},
    {18, 33, 101, triangle, out, bar, dummy, true},
    {33, 40, 131, brick, out, cross, dummy, true},
    {66, 66, 197, brick, in, bar, wire, true},
    {127, 67, 319, brick, out, bar, dummy, true},
    // The matrix in tiles: bands of its rows and columns.
    {227, 35, 700, brick, out, cross, dummy, true},
    {240, 60, 725, triangle, in, cross, wire, true},
};

struct Problem {
  at::Tensor input, dL_doutput;
  MeshTensors mesh;
};

Problem problem(const Case& c, at::ScalarType real) {
  at::manual_seed(1000 + c.ports * 10 + c.columns);
  const auto complex = at::TensorOptions().dtype(c10::toComplexType(real));
  const int64_t mzis = c.layout().mzis();
  // Drawn in double, so that both precisions solve the same problem; angles well beyond one turn.
  const auto draw = [&](at::IntArrayRef shape, double low, double high) {
    return (at::rand(shape, at::kDouble) * (high - low) + low).to(real);
  };
  Problem p;
  p.mesh = {draw({mzis}, -9, 9), draw({mzis}, -9, 9)};
  if (c.screen) p.mesh.screen = draw({c.ports}, -9, 9);
  if (c.errors) p.mesh.splitter_error = draw({mzis, 2}, -0.9, 0.9);
  if (c.least_transmission < 1) {
    p.mesh.transmission = draw({mzis, 2}, c.least_transmission, std::min(1.0, 1.1 * c.least_transmission));
  }
  p.input = at::randn({c.batch, c.ports}, at::kComplexDouble).to(complex.dtype());
  p.dL_doutput = at::randn({c.batch, c.ports}, at::kComplexDouble).to(complex.dtype());
  return p;
}

MeshTensors to(const MeshTensors& mesh, at::ScalarType real) {
  const auto each = [&](const std::optional<at::Tensor>& t) {
    return t ? std::optional<at::Tensor>(t->to(real)) : std::nullopt;
  };
  return {mesh.theta.to(real), mesh.phi.to(real), each(mesh.screen), each(mesh.splitter_error),
          each(mesh.transmission)};
}

std::vector<std::optional<at::Tensor>> list(const at::Tensor& first, const MeshTensors& mesh) {
  return {first, mesh.theta, mesh.phi, mesh.screen, mesh.splitter_error, mesh.transmission};
}
std::vector<at::Tensor> list(const MeshGradients& d) {
  return {d.dL_dinput, d.dL_dtheta, d.dL_dphi, d.dL_dscreen, d.dL_dsplitter_error, d.dL_dtransmission};
}
const std::vector<std::string> names = {"input", "theta", "phi", "screen", "splitter_error", "transmission"};

/// |a - b| / |b|, 0 for empty tensors.
double relative(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (b.numel() == 0) return 0;
  const auto wide = b.is_complex() ? at::kComplexDouble : at::kDouble;
  const double difference = (a.to(wide) - b.to(wide)).norm().item().toComplexDouble().real();
  const double size = b.to(wide).norm().item().toComplexDouble().real();
  return difference == 0 ? 0 : difference / size;
}

/// Outputs and gradients of the reference in double, by autograd.
std::pair<at::Tensor, std::vector<at::Tensor>> reference(const Problem& p, const Case& c) {
  const auto mesh = to(p.mesh, at::kDouble);
  std::vector<at::Tensor> leaves;
  const auto leaf = [&](const at::Tensor& t) {
    leaves.push_back(t.detach().clone().requires_grad_(true));
    return leaves.back();
  };
  const auto optional_leaf = [&](const std::optional<at::Tensor>& t) {
    return t ? std::optional<at::Tensor>(leaf(*t)) : std::nullopt;
  };
  const auto x = leaf(p.input.to(at::kComplexDouble));
  MeshTensors tracked{leaf(mesh.theta), leaf(mesh.phi)};
  tracked.screen = optional_leaf(mesh.screen);
  tracked.splitter_error = optional_leaf(mesh.splitter_error);
  tracked.transmission = optional_leaf(mesh.transmission);
  const auto y = mzi_mesh_reference(x, tracked, c.layout());
  const auto found =
      torch::autograd::grad({y}, leaves, {p.dL_doutput.to(at::kComplexDouble)}, std::nullopt, false, true);
  std::vector<at::Tensor> all;
  size_t next = 0;
  for (const auto& tensor : list(x, tracked)) {
    const auto gradient = tensor ? found[next++] : at::empty({0}, at::kDouble);
    all.push_back(gradient.defined() ? gradient : at::zeros_like(*tensor));
  }
  return {y.detach(), all};
}

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

// One mesh for the tests below.
const Case plain_case{8, 8, 40, brick, out, cross, wire, true};

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
