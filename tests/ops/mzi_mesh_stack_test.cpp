// A stack of meshes in one call is each mesh by itself, bit for bit.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/mzi_mesh.h>
#include <support/differences.h>
#include <support/mesh_cases.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <ostream>
#include <vector>

namespace optotorch::ops {
namespace {

using optotorch::testing::expect_close;

struct StackCase {
  int64_t meshes, ports, columns, batch;
  MeshGrid grid = MeshGrid::rectangular;
  PhiArm phi_arm = PhiArm::output;
  bool screen = true, errors = false, loss = false;

  MeshLayout layout() const { return {grid, ports, columns, phi_arm}; }
};

void PrintTo(const StackCase& c, std::ostream* out) {
  *out << c.meshes << " meshes, batch " << c.batch << ", " << name(c.layout()) << (c.screen ? ", screen" : "")
       << (c.errors ? ", errors" : "") << (c.loss ? ", loss" : "");
}

// Batches of 300 and more go through the matrix.
const std::vector<StackCase> stack_cases = {
    {1, 4, 4, 5},
    {2, 2, 1, 33},
    {3, 5, 5, 0},
    {3, 5, 7, 40, MeshGrid::triangular, PhiArm::input},
    {3, 5, 7, 40, MeshGrid::triangular, PhiArm::output, true, true, true},
    {5, 9, 12, 70, MeshGrid::rectangular, PhiArm::input, false, false, true},
    {7, 16, 16, 32, MeshGrid::rectangular, PhiArm::output, false},
    {3, 6, 6, 300, MeshGrid::rectangular, PhiArm::output, true},
    {2, 7, 5, 333, MeshGrid::rectangular, PhiArm::input, true, true, true},
    {56, 28, 28, 20},
};

struct StackProblem {
  at::Tensor input, dL_doutput;
  MeshTensors mesh;
};

StackProblem stack_problem(const StackCase& c, at::ScalarType real) {
  at::manual_seed(17 + c.ports);
  const auto complex = c10::toComplexType(real);
  const int64_t mzis = c.layout().mzis();
  const auto draw = [&](at::IntArrayRef shape, double low, double high) {
    return at::rand(shape, real) * (high - low) + low;
  };
  StackProblem p{at::randn({c.batch, c.meshes, c.ports}, complex),
                 at::randn({c.batch, c.meshes, c.ports}, complex),
                 {draw({c.meshes, mzis}, -9, 9), draw({c.meshes, mzis}, -9, 9)}};
  if (c.screen) p.mesh.screen = draw({c.meshes, c.ports}, -9, 9);
  if (c.errors) p.mesh.splitter_error = draw({c.meshes, mzis, 2}, -0.6, 0.6);
  if (c.loss) p.mesh.transmission = draw({c.meshes, mzis, 2}, 0.7, 1);
  return p;
}

const std::vector<std::string> stack_names = {"output", "input",          "theta",       "phi",
                                              "screen", "splitter_error", "transmission"};

/// Output and gradients, in the order of `names`.
std::vector<at::Tensor> results(const at::Tensor& dL_dy, const at::Tensor& x, const MeshTensors& mesh,
                                const MeshLayout& layout) {
  const auto y = mzi_mesh(x, mesh, layout);
  const auto d = mzi_mesh_backward(dL_dy, x, y, mesh, layout);
  return {y, d.dL_dinput, d.dL_dtheta, d.dL_dphi, d.dL_dscreen, d.dL_dsplitter_error, d.dL_dtransmission};
}

MeshTensors one_of(const MeshTensors& stack, int64_t m) {
  const auto own = [m](const std::optional<at::Tensor>& t) {
    return t ? std::optional<at::Tensor>(t->select(0, m)) : std::nullopt;
  };
  return {stack.theta.select(0, m), stack.phi.select(0, m), own(stack.screen), own(stack.splitter_error),
          own(stack.transmission)};
}

class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

class MziMeshStackTest : public ::testing::TestWithParam<StackCase> {};

TEST_P(MziMeshStackTest, IsEveryMeshByItselfWithAnyNumberOfThreads) {
  const auto& c = GetParam();
  for (const auto real : {at::kFloat, at::kDouble}) {
    const auto p = stack_problem(c, real);
    std::vector<std::vector<at::Tensor>> alone;
    for (int64_t m = 0; m < c.meshes; ++m) {
      const Threads one(1);
      alone.push_back(
          results(p.dL_doutput.select(1, m), p.input.select(1, m), one_of(p.mesh, m), c.layout()));
    }
    for (const int count : {1, 2, 3, 4}) {
      const Threads threads(count);
      const auto stack = results(p.dL_doutput, p.input, p.mesh, c.layout());
      EXPECT_EQ(stack[0].sizes(), p.input.sizes());
      EXPECT_EQ(stack[1].sizes(), p.input.sizes());
      EXPECT_EQ(stack[2].sizes(), p.mesh.theta.sizes());
      for (size_t i = 0; i < stack_names.size(); ++i) {
        for (int64_t m = 0; m < c.meshes && stack[i].dim() > 1; ++m) {
          EXPECT_TRUE(stack[i].select(i < 2 ? 1 : 0, m).equal(alone[static_cast<size_t>(m)][i]))
              << stack_names[i] << ", mesh " << m << ", " << count << " threads";
        }
        EXPECT_EQ(stack[i].dim() > 1, alone[0][i].numel() > 0 || (i < 2 && c.batch == 0)) << stack_names[i];
      }
    }
  }
}

TEST_P(MziMeshStackTest, AgreesWithTheReference) {
  const auto& c = GetParam();
  const auto p = stack_problem(c, at::kDouble);
  std::vector<at::Tensor> leaves;
  const auto leaf = [&](const at::Tensor& t) {
    leaves.push_back(t.detach().clone().requires_grad_(true));
    return leaves.back();
  };
  const auto optional_leaf = [&](const std::optional<at::Tensor>& t) {
    return t ? std::optional<at::Tensor>(leaf(*t)) : std::nullopt;
  };
  const auto x = leaf(p.input);
  MeshTensors mesh{leaf(p.mesh.theta), leaf(p.mesh.phi)};
  mesh.screen = optional_leaf(p.mesh.screen);
  mesh.splitter_error = optional_leaf(p.mesh.splitter_error);
  mesh.transmission = optional_leaf(p.mesh.transmission);
  const auto expected = mzi_mesh_reference(x, mesh, c.layout());
  const auto got = mzi_mesh(x, mesh, c.layout());
  expect_close(got.detach(), expected.detach(), 1e-13, "output");
  const auto by_reference =
      torch::autograd::grad({expected}, leaves, {p.dL_doutput}, std::nullopt, false, true);
  const auto by_operator = torch::autograd::grad({got}, leaves, {p.dL_doutput});
  for (size_t i = 0; i < leaves.size(); ++i) {
    expect_close(by_operator[i], by_reference[i].defined() ? by_reference[i] : at::zeros_like(leaves[i]),
                 1e-12, "leaf " + std::to_string(i));
  }
}

INSTANTIATE_TEST_SUITE_P(Table, MziMeshStackTest, ::testing::ValuesIn(stack_cases));

const StackCase plain_stack{3, 5, 5, 40};

TEST(MziMeshStackOperatorTest, TakesViewsAsTheyAre) {
  const auto p = stack_problem(plain_stack, at::kDouble);
  const auto layout = plain_stack.layout();
  const auto expected = results(p.dL_doutput, p.input, p.mesh, layout);
  const auto meshes_first = [](const at::Tensor& t) {
    return t.transpose(0, 1).contiguous().transpose(0, 1);
  };
  auto mesh = p.mesh;
  mesh.theta = mesh.theta.t().contiguous().t();
  mesh.screen = at::stack({*mesh.screen, *mesh.screen}, 2).select(2, 1);
  const auto got = results(p.dL_doutput.conj().resolve_conj().conj(), meshes_first(p.input), mesh, layout);
  for (size_t i = 0; i < stack_names.size(); ++i) {
    EXPECT_TRUE(got[i].equal(expected[i])) << stack_names[i];
  }
  // One mesh for all, expanded.
  mesh.theta = p.mesh.theta.narrow(0, 0, 1).expand_as(p.mesh.theta);
  auto copies = mesh;
  copies.theta = mesh.theta.clone();
  EXPECT_TRUE(mzi_mesh(p.input, mesh, layout).equal(mzi_mesh(p.input, copies, layout)));
}

TEST(MziMeshStackOperatorTest, RejectsWrongArguments) {
  auto c = plain_stack;
  c.errors = c.loss = true;
  const auto p = stack_problem(c, at::kDouble);
  const auto layout = c.layout();
  const auto y = mzi_mesh(p.input, p.mesh, layout);
  const auto refuses = [&](const std::vector<std::string>& parts,
                           const std::function<void(StackProblem&)>& change) {
    for (const auto device : {at::kCPU, at::kMeta}) {
      auto wrong = p;
      change(wrong);
      if (device == at::kMeta && parts.back() == "finite") continue;  // it reads no values
      const auto move = [&](const std::optional<at::Tensor>& t) {
        return t ? std::optional<at::Tensor>(t->to(device)) : std::nullopt;
      };
      const MeshTensors mesh{*move(wrong.mesh.theta), *move(wrong.mesh.phi), move(wrong.mesh.screen),
                             move(wrong.mesh.splitter_error), move(wrong.mesh.transmission)};
      const auto input = *move(wrong.input);
      expect_complaint(parts, [&] { mzi_mesh(input, mesh, layout); });
      expect_complaint(parts, [&] { mzi_mesh_backward(*move(p.dL_doutput), input, *move(y), mesh, layout); });
    }
  };
  refuses({"mzi_mesh: theta: expected float64 [3, 10], got float64 [10]", "holds 3 meshes"},
          [](StackProblem& w) { w.mesh.theta = w.mesh.theta[0]; });
  refuses({"mzi_mesh: phi: expected float64 [3, 10], got float64 [2, 10]"},
          [](StackProblem& w) { w.mesh.phi = w.mesh.phi.narrow(0, 0, 2); });
  refuses({"mzi_mesh: screen: expected float64 [3, 5], got float64 [5, 3]"},
          [](StackProblem& w) { w.mesh.screen = w.mesh.screen->t(); });
  refuses({"mzi_mesh: splitter_error: expected float64 [3, 10, 2], got float64 [3, 20]"},
          [](StackProblem& w) { w.mesh.splitter_error = w.mesh.splitter_error->flatten(1); });
  refuses({"mzi_mesh: transmission: expected float64 [3, 10, 2], got float32 [3, 10, 2]"},
          [](StackProblem& w) { w.mesh.transmission = w.mesh.transmission->to(at::kFloat); });
  refuses({"mzi_mesh: theta: expected float64 [10], got float64 [3, 10]"},
          [](StackProblem& w) { w.input = w.input.select(1, 0); });
  refuses(
      {"mzi_mesh: input: expected [batch, ports], or [batch, meshes, ports]", "got complex128 [40, 1, 3, 5]"},
      [](StackProblem& w) { w.input = w.input.unsqueeze(1); });
  refuses({"mzi_mesh: input", "got complex128 [40, 0, 5]"},
          [](StackProblem& w) { w.input = w.input.narrow(1, 0, 0); });
  for (const bool ideal : {false, true}) {
    for (const int64_t m : {0, 2}) {
      refuses({"mzi_mesh: phi", "finite"}, [&](StackProblem& w) {
        if (ideal) {
          w.mesh.splitter_error.reset();
          w.mesh.transmission.reset();
        }
        w.mesh.phi = w.mesh.phi.clone();
        w.mesh.phi[m][7] = std::numeric_limits<double>::quiet_NaN();
      });
    }
  }
  expect_complaint({"mzi_mesh_backward: dL_doutput: expected complex128 [40, 3, 5], got complex128 [40, 15]"},
                   [&] { mzi_mesh_backward(p.dL_doutput.flatten(1), p.input, y, p.mesh, layout); });
  expect_complaint({"mzi_mesh_backward: output: expected complex128 [40, 3, 5], got complex128 [40, 5, 3]"},
                   [&] { mzi_mesh_backward(p.dL_doutput, p.input, y.mT(), p.mesh, layout); });
}

}  // namespace
}  // namespace optotorch::ops
