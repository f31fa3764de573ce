// Corrections of a mesh's model: what they predict, and that every pull-back is the derivative.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <support/differences.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>

namespace optotorch {
namespace {

using testing::central_differences;
using testing::CorrectionCase;
using testing::expect_close;
using testing::Parameters;
using Learns = Correction::Learns;

constexpr int64_t stage_ports = 6, stage_batch = 3;

/// A mesh and its correction, in float64 and away from zero.
class CorrectionTest : public ::testing::TestWithParam<CorrectionCase> {
 protected:
  CorrectionTest() {
    torch::manual_seed(4);
    mesh->to(torch::kFloat64);
    x = torch::randn({stage_batch, stage_ports}, torch::kComplexDouble);
    g = torch::randn({stage_batch, stage_ports}, torch::kComplexDouble);
    correction = fresh();
    testing::perturb(*correction);
  }

  std::shared_ptr<Correction> fresh() const {
    auto made = GetParam().make(mesh->layout());
    made->to(torch::kFloat64);
    return made;
  }

  torch::Tensor meaning(const Correction& of, double c) const {
    return GetParam().meaning(x, mesh->tensors(), mesh->layout(), testing::parameters_of(of), c);
  }

  /// Re <g, S>.
  double functional(double c) {
    return at::real(g.conj() * correction->predict(*mesh, x, c).s).sum().item<double>();
  }

  static Parameters take_gradients(const torch::nn::Module& module) {
    return testing::take_gradients(testing::parameters_of(module));
  }

  static void expect_none(const Parameters& gradients) {
    for (const auto& [name, gradient] : gradients) {
      EXPECT_FALSE(gradient.defined()) << name;
    }
  }

  MziMesh mesh{MziMeshOptions(stage_ports)};
  std::shared_ptr<Correction> correction;
  torch::Tensor x, g;
};

TEST_P(CorrectionTest, BeginsNearTheErrorFreeMesh) {
  const auto born = GetParam().make(mesh->layout());
  for (const auto& item : born->named_parameters()) {
    EXPECT_EQ(item.value().scalar_type(), torch::kFloat32) << item.key();
    EXPECT_TRUE(item.value().requires_grad()) << item.key();
    EXPECT_FALSE(item.value().is_complex()) << item.key();
  }
  const auto start = fresh();
  const auto u = mesh->propagate(x).output;
  expect_close(start->predict(*mesh, x, 0).s, u, 1e-13, "strength 0");
  if (start->name() != "Sepn") {  // a random network's outputs are small, not zero
    expect_close(start->predict(*mesh, x).s, u, 1e-13, "initial values");
  }
  EXPECT_LT(testing::relative_distance(start->predict(*mesh, x).s, u), 0.5);
  EXPECT_GT(testing::relative_distance(correction->predict(*mesh, x).s, u), 1e-2);
}

TEST_P(CorrectionTest, PredictsWhatItMeans) {
  for (const double c : {0.0, 0.3, 1.0}) {
    const auto prediction = correction->predict(*mesh, x, c);
    expect_close(prediction.s, meaning(*correction, c), 1e-12, std::to_string(c));
    EXPECT_EQ(prediction.strength, c);
    EXPECT_TRUE(prediction.x.equal(x));
    EXPECT_FALSE(prediction.s.requires_grad());
  }
}

TEST_P(CorrectionTest, PullBackIsTheDerivative) {
  // Steps that are small beside the distance of any value to a CReLU's corner.
  constexpr double step = 1e-5;
  for (const double c : {0.0, 0.3, 1.0}) {
    const auto loss = [&] { return functional(c); };
    const auto prediction = correction->predict(*mesh, x, c);
    const auto dL_dx = correction->pullback(*mesh, prediction, g, Learns::stage);
    expect_close(dL_dx, central_differences(loss, x, step), 1e-7, "x");
    const auto of_mesh = take_gradients(*mesh);
    expect_none(take_gradients(*correction));
    for (auto& item : mesh->named_parameters()) {
      expect_close(of_mesh.at(item.key()), central_differences(loss, item.value(), step), 1e-7, item.key());
    }
    expect_close(correction->pullback(*mesh, prediction, g, Learns::correction), dL_dx, 1e-14, "x");
    expect_none(take_gradients(*mesh));
    const auto of_correction = take_gradients(*correction);
    for (auto& item : correction->named_parameters()) {
      const auto& found = of_correction.at(item.key());
      if (c == 0) {
        EXPECT_TRUE(!found.defined() || found.abs().max().item<double>() == 0) << item.key();
        continue;
      }
      ASSERT_TRUE(found.defined()) << item.key();
      // Of thousands of numbers a hundred rows tell.
      std::vector<torch::Tensor> some, expected;
      const int64_t rows = item.value().size(0);
      for (int64_t row = 0; row < rows; row += std::max<int64_t>(1, rows / 97)) {
        some.push_back(found.narrow(0, row, 1));
        expected.push_back(central_differences(loss, item.value().narrow(0, row, 1), step));
      }
      expect_close(at::cat(some), at::cat(expected), 1e-7, item.key());
    }
  }
}

TEST_P(CorrectionTest, WhatLearnsGetsGradientsAndNothingElse) {
  const auto prediction = correction->predict(*mesh, x, 0.7);
  const auto s = prediction.s.clone(), signal = g.clone();
  for (const bool to_input : {true, false}) {
    EXPECT_EQ(correction->pullback(*mesh, prediction, g, Learns::nothing, to_input).defined(), to_input);
    expect_none(take_gradients(*mesh));
    expect_none(take_gradients(*correction));
    for (const auto learns : {Learns::stage, Learns::correction}) {
      auto& learner = learns == Learns::stage ? static_cast<torch::nn::Module&>(*mesh.ptr()) : *correction;
      auto& other = learns == Learns::stage ? *correction : static_cast<torch::nn::Module&>(*mesh.ptr());
      EXPECT_EQ(correction->pullback(*mesh, prediction, g, learns, to_input).defined(), to_input);
      const auto once = take_gradients(learner);
      expect_none(take_gradients(other));
      // It accumulates.
      correction->pullback(*mesh, prediction, g, learns, to_input);
      correction->pullback(*mesh, prediction, g, learns, to_input);
      for (const auto& [name, gradient] : take_gradients(learner)) {
        expect_close(gradient, 2 * once.at(name), 1e-14, name);
        EXPECT_GT(gradient.abs().max().item<double>(), 0) << name;
      }
    }
  }
  EXPECT_TRUE(prediction.s.equal(s));
  EXPECT_TRUE(g.equal(signal));
}

TEST_P(CorrectionTest, SinglePrecisionAgrees) {
  const auto run = [&](torch::ScalarType type) {
    mesh->to(type);
    correction->to(type);
    const auto field = c10::toComplexType(type);
    const auto prediction = correction->predict(*mesh, x.to(field));
    const auto dL_dx = correction->pullback(*mesh, prediction, g.to(field), Learns::correction);
    correction->pullback(*mesh, prediction, g.to(field), Learns::stage, false);
    Parameters all{{"s", prediction.s}, {"x", dL_dx}};
    all.merge(take_gradients(*mesh));
    all.merge(take_gradients(*correction));
    return all;
  };
  const auto exact = run(torch::kFloat64);
  for (const auto& [name, tensor] : run(torch::kFloat32)) {
    const auto& expected = exact.at(name);
    expect_close(tensor, expected.to(tensor.scalar_type()), 2e-4, name);
    EXPECT_EQ(c10::toRealValueType(tensor.scalar_type()), torch::kFloat32) << name;
  }
}

TEST_P(CorrectionTest, WrongInputIsRejected) {
  const auto name = correction->name();
  for (const double bad : {-0.1, 1.1, std::nan("")}) {
    expect_complaint({name, "strength"}, [&] { correction->predict(*mesh, x, bad); });
  }
  for (const auto& bad : {torch::Tensor(), at::real(x), x.narrow(1, 0, 5), x[0], x.unsqueeze(0)}) {
    expect_complaint({name, "x"}, [&] { correction->predict(*mesh, bad); });
  }
  EXPECT_NE(complaint([&] { correction->predict(*mesh, x.to(torch::kComplexFloat)); }), "") << "precision";
  const auto in_single_precision = GetParam().make(mesh->layout());
  EXPECT_NE(complaint([&] { in_single_precision->predict(*mesh, x); }), "") << "precision";
  MziMesh larger(stage_ports + 2);
  larger->to(torch::kFloat64);
  EXPECT_NE(
      complaint([&] {
        correction->predict(*larger, torch::randn({stage_batch, stage_ports + 2}, torch::kComplexDouble));
      }),
      "")
      << "a mesh of other ports";
  const auto prediction = correction->predict(*mesh, x);
  for (const auto& bad :
       {torch::Tensor(), at::real(g), g.narrow(1, 0, 5), g.narrow(0, 0, 1), g.to(torch::kComplexFloat)}) {
    expect_complaint({name, "dL_ds"},
                     [&] { correction->pullback(*mesh, prediction, bad, Learns::correction); });
  }
  expect_none(take_gradients(*mesh));
  expect_none(take_gradients(*correction));
}

INSTANTIATE_TEST_SUITE_P(All, CorrectionTest,
                         ::testing::Values(testing::sepn_case("Sepn10k", {4, 8, 16}),
                                           testing::sepn_case("Sepn4k", {4, 6, 8}), testing::linear_case(),
                                           testing::white_box_case("WhiteBox", true),
                                           testing::white_box_case("WhiteBoxOfPhases", false)),
                         [](const auto& info) { return info.param.name; });

// In every convention, with and without a screen, and on other batches than the mesh's crossover.
TEST(CorrectionTest, WhiteBoxesFollowTheLayout) {
  torch::manual_seed(8);
  const auto white_box = testing::white_box_case("WhiteBox", true);
  for (const auto& options : {MziMeshOptions(5), MziMeshOptions(4).screen(false).columns(3),
                              MziMeshOptions(5).phi_arm(PhiArm::input),
                              MziMeshOptions(4).grid(MeshGrid::triangular).zero_state(ZeroState::bar),
                              MziMeshOptions(6).idle_port(IdlePort::bar)}) {
    MziMesh mesh(options);
    mesh->to(torch::kFloat64);
    const auto correction = white_box.make(mesh->layout());
    testing::perturb(*correction);
    for (const int64_t samples : {1, 70}) {
      const auto x = torch::randn({samples, options.ports()}, torch::kComplexDouble),
                 g = torch::randn_like(x);
      ops::MeshTensors leaves = mesh->tensors();
      leaves.theta = leaves.theta.clone().requires_grad_();
      Parameters p;
      for (const auto& item : correction->named_parameters()) {
        p[item.key()] = item.value().clone().requires_grad_();
      }
      const auto s = white_box.meaning(x, leaves, mesh->layout(), p, 0.6);
      const auto expected = torch::autograd::grad({at::real(g.conj() * s).sum()},
                                                  {leaves.theta, p.at("phi_offset"), p.at("splitter_error")});
      const auto prediction = correction->predict(*mesh, x, 0.6);
      expect_close(prediction.s, s.detach(), 1e-12);
      correction->pullback(*mesh, prediction, g, Learns::stage, false);
      correction->pullback(*mesh, prediction, g, Learns::correction, false);
      const auto found = correction->named_parameters();
      expect_close(mesh->theta.grad(), expected[0], 1e-10, "theta");
      expect_close(found["phi_offset"].grad(), expected[1], 1e-10, "phi_offset");
      expect_close(found["splitter_error"].grad(), expected[2], 1e-10, "splitter_error");
      mesh->zero_grad();
      correction->zero_grad();
    }
  }
}

// |e| > 1 is no splitter: an optimiser's step must not get there.
TEST(CorrectionTest, ConstrainTurnsRowsThatIntensitiesDoNotSee) {
  torch::manual_seed(31);
  MziMesh mesh{MziMeshOptions(stage_ports)};
  LinearCorrection linear(stage_ports);
  linear.to(torch::kFloat64);
  mesh->to(torch::kFloat64);
  auto matrix = linear.matrix.detach();
  matrix.normal_();
  matrix.select(0, 2).zero_();
  matrix[2][2][0] = -1;  // a row without light on its diagonal stays
  const auto row = linear.matrix[2].clone();
  const auto x = torch::randn({5, stage_ports}, torch::kComplexDouble);
  const auto before = linear.predict(*mesh, x).s;
  linear.constrain();
  const auto map = at::view_as_complex(linear.matrix) + torch::eye(stage_ports, torch::kComplexDouble);
  EXPECT_LE(at::imag(map.diagonal()).abs().max().item<double>(), 1e-15);
  EXPECT_GE(at::real(map.diagonal()).min().item<double>(), 0);
  EXPECT_TRUE(linear.matrix[2].equal(row));
  const auto after = linear.predict(*mesh, x).s;
  expect_close(after.abs(), before.abs(), 1e-13);
  EXPECT_GT(testing::relative_distance(after, before), 0.1);
  const auto once = linear.matrix.clone();
  linear.constrain();
  expect_close(linear.matrix, once, 1e-15);
}

TEST(CorrectionTest, ConstrainPutsSplitterErrorsBackAndNothingElse) {
  const auto layout = universal(MeshGrid::rectangular, stage_ports);
  WhiteBoxCorrection correction{WhiteBoxCorrectionOptions(layout)};
  correction.error("theta_offset").detach().fill_(7);
  correction.error("phi_offset").detach().fill_(-7);
  correction.error("splitter_error").detach().select(1, 0).fill_(3);
  correction.error("splitter_error").detach().select(1, 1).fill_(-0.4);
  const auto leaf = correction.error("splitter_error");
  correction.constrain();
  EXPECT_TRUE(leaf.is_same(correction.error("splitter_error")));
  EXPECT_TRUE(leaf.select(1, 0).eq(0.5).all().item<bool>());
  EXPECT_TRUE(leaf.select(1, 1).eq(-0.4F).all().item<bool>());
  EXPECT_TRUE(correction.error("theta_offset").eq(7).all().item<bool>());
  EXPECT_TRUE(correction.error("phi_offset").eq(-7).all().item<bool>());
  WhiteBoxCorrection of_phases{WhiteBoxCorrectionOptions(layout).splitters(false)};
  of_phases.constrain();
  EXPECT_EQ(of_phases.parameters().size(), 2U);
  LinearCorrection linear(stage_ports);
  linear.matrix.detach().select(2, 0).fill_(3);
  linear.constrain();
  EXPECT_TRUE(linear.matrix.select(2, 0).eq(3).all().item<bool>());
  EXPECT_TRUE(linear.matrix.select(2, 1).eq(0).all().item<bool>());
}

TEST(CorrectionTest, SizesArePublishedOnes) {
  EXPECT_EQ(Sepn(SepnOptions(64)).numbers.numel(), 2 * 9757);
  EXPECT_EQ(Sepn(SepnOptions(64).features({4, 6, 8})).numbers.numel(), 2 * 4035);
  // Drawn as torch::nn::Conv2d draws them: the first convolution has one channel.
  torch::manual_seed(1);
  const auto first = Sepn(SepnOptions(64)).numbers.narrow(0, 0, 36);
  EXPECT_LE(first.abs().max().item<double>(), 1.0 / 3);
  EXPECT_GT(first.abs().max().item<double>(), 0.25);
}

TEST(CorrectionTest, WrongSizesAreRejected) {
  expect_complaint({"LinearCorrection", "ports"}, [] { LinearCorrection correction(0); });
  expect_complaint({"sepn", "features"}, [] { Sepn correction(SepnOptions(64).features({4, 0, 8})); });
  expect_complaint({"WhiteBoxCorrection"},
                   [] { WhiteBoxCorrection correction{WhiteBoxCorrectionOptions(MeshLayout{.ports = 1})}; });
  // The same ports in another convention.
  MziMesh mesh(stage_ports);
  WhiteBoxCorrection correction{
      WhiteBoxCorrectionOptions(MziMeshOptions(stage_ports).phi_arm(PhiArm::input).layout())};
  expect_complaint({"WhiteBoxCorrection", "mesh"}, [&] {
    correction.predict(*mesh, torch::ones({2, stage_ports}, torch::kComplexFloat));
  });
}

}  // namespace
}  // namespace optotorch
