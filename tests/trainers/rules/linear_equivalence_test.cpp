// In a linear network the local rules have exact special cases: with the right feedback they are
// back-propagation to the last digits. Whatever a rule does wrongly with batch sizes, conjugates, transposes
// or passes shows here.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/differences.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <map>

namespace optotorch {
namespace {

using Gradients = std::map<std::string, torch::Tensor>;

constexpr int64_t batch = 7;
constexpr double exact = 1e-10;

const Loss squared_sum = [](const torch::Tensor& y, const torch::Tensor& t) {
  return (y - t).abs().square().sum() / y.size(0);
};

Gradients gradients_by(Rule& rule, Hybrid& net, const torch::Tensor& x, const torch::Tensor& target) {
  Gradients gradients;
  net->zero_grad();
  rule.step(*net, x, target, squared_sum);
  for (auto& item : net->named_parameters()) {
    gradients[item.key()] = item.value().grad().clone();
    item.value().mutable_grad() = torch::Tensor();
  }
  return gradients;
}

/// Largest difference of any gradient, relative to the largest of its own tensor.
double difference(const Gradients& a, const Gradients& b) {
  double largest = 0;
  for (const auto& [name, gradient] : b) {
    largest = std::max(largest, testing::relative_distance(a.at(name), gradient));
  }
  return largest;
}

TwoPassForwardOptions measured() {
  return TwoPassForwardOptions().feedback(Feedback::adjoint).presynaptic(Presynaptic::clean).refresh(1);
}

class LinearEquivalenceTest : public ::testing::Test {
 protected:
  LinearEquivalenceTest() { torch::manual_seed(13); }

  void make_unitary() {
    net = Hybrid(MziMesh(5), MziMesh(MziMeshOptions(5).phi_arm(PhiArm::input)),
                 MziMesh(MziMeshOptions(5).grid(MeshGrid::triangular)));
    net->to(torch::kFloat64);
    x = torch::randn({batch, 5}, torch::kComplexDouble);
    target = torch::randn({batch, 5}, torch::kComplexDouble);
  }

  /// Rows orthonormal: A A^T = I, all that the two passes need (they see the input side through A A^T).
  static torch::Tensor orthonormal_rows(const torch::Tensor& weight) {
    const auto [u, s, v] = at::linalg_svd(weight.detach().to(torch::kFloat64), /*full_matrices=*/false);
    return u.matmul(v);
  }

  void make_orthogonal() {
    net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Linear(5, 4), torch::nn::Linear(4, 3));
    net->to(torch::kFloat64);
    x = torch::randn({batch, 6}, torch::kFloat64);
    target = torch::randn({batch, 3}, torch::kFloat64);
    orthogonalise();
  }

  void orthogonalise() {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i + 1 < net->size(); ++i) {
      auto weight = net->named_parameters()[std::to_string(i) + ".weight"];
      weight.copy_(orthonormal_rows(weight));
    }
  }

  void make_banks() {
    net = Hybrid(WeightBank(6, 5), WeightBank(5, 5), WeightBank(5, 3));
    net->to(torch::kFloat64);
    x = torch::randn({batch, 6}, torch::kFloat64);
    target = torch::randn({batch, 3}, torch::kFloat64);
    orthogonalise_banks();
  }

  WeightBankImpl& bank(size_t i) { return dynamic_cast<WeightBankImpl&>(net->layer(i)); }

  void orthogonalise_banks() {
    for (size_t i = 0; i < 2; ++i) {
      bank(i).set_weight(orthonormal_rows(bank(i).weight()).clamp(-1, 1));
    }
  }

  Gradients exact_gradients() {
    BackPropagation rule;
    return gradients_by(rule, net, x, target);
  }

  double compare(Rule& rule) {
    const auto expected = exact_gradients();
    return difference(gradients_by(rule, net, x, target), expected);
  }

  void descend(double rate) {
    BackPropagation rule;
    torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(rate));
    optimizer.zero_grad();
    rule.step(*net, x, target, squared_sum);
    optimizer.step();
    net->zero_grad();
    x = torch::randn_like(x);  // another batch
    target = torch::randn_like(target);
  }

  torch::Tensor mesh_matrix(size_t i) { return dynamic_cast<MziMeshImpl&>(net->layer(i)).matrix(); }

  Hybrid net;
  torch::Tensor x, target;
};

TEST_F(LinearEquivalenceTest, TwoPassForwardIsBackPropagationOfUnitaries) {
  make_unitary();
  TwoPassForward rule(measured());
  for (int step = 0; step < 5; ++step) {
    EXPECT_LE(compare(rule), exact) << "step " << step;
    descend(0.1);
  }
}

TEST_F(LinearEquivalenceTest, StrengthAndSignDropOut) {
  make_unitary();
  for (const double strength : {0.01, 3.0, -2.0}) {
    TwoPassForward rule(measured().strength(strength));
    EXPECT_LE(compare(rule), exact) << strength;
  }
}

TEST_F(LinearEquivalenceTest, BehindAModulator) {
  make_unitary();
  net = Hybrid(Modulator(5), MziMesh(5), MziMesh(5), MziLinear(5, 3));
  net->to(torch::kFloat64);
  x = torch::randn({batch, 4}, torch::kFloat64);
  target = torch::randn({batch, 3}, torch::kComplexDouble);
  TwoPassForward rule(measured());
  for (int step = 0; step < 3; ++step) {
    EXPECT_LE(compare(rule), exact) << "step " << step;
    descend(0.1);
  }
}

TEST_F(LinearEquivalenceTest, TwinIsExactWhenItsRandomMatrixWouldBe) {
  // One hidden mesh: W^H R with R the transport of the rest would be exact; a random real R is not, but the
  // signal is then A A^H R e = R e whatever the phases of the first mesh are.
  make_unitary();
  TwoPassForward rule(TwoPassForwardOptions().feedback(Feedback::twin).presynaptic(Presynaptic::clean));
  const auto before = gradients_by(rule, net, x, target);
  const auto f = rule.feedback();
  const auto r = mesh_matrix(0).matmul(f);
  EXPECT_LE(at::imag(r).abs().max().item<double>(), 1e-12);
  EXPECT_GT(difference(before, exact_gradients()), 0.1);
}

TEST_F(LinearEquivalenceTest, StaleMeasurementShows) {
  make_unitary();
  TwoPassForward rule(measured().refresh(2));
  EXPECT_LE(compare(rule), exact);
  descend(0.1);
  EXPECT_GT(compare(rule), 1e-3);
  descend(0.1);
  EXPECT_LE(compare(rule), exact);
}

// The modulation arrives at a mesh as the signal S itself, and a phase's gradient is Re <S, i H S> = 0 for
// it: in unitaries the second pass is as good a presynaptic activity as the first.
TEST_F(LinearEquivalenceTest, ModulatedPresynapticIsExactInUnitaries) {
  make_unitary();
  for (const double strength : {0.1, 5.0}) {
    TwoPassForward rule(measured().presynaptic(Presynaptic::modulated).strength(strength));
    EXPECT_LE(compare(rule), exact);
  }
}

TEST_F(LinearEquivalenceTest, ModulatedPresynapticIsExactInTheLimitOnly) {
  make_orthogonal();
  TwoPassForward weak(measured().presynaptic(Presynaptic::modulated).strength(1e-7));
  TwoPassForward strong(measured().presynaptic(Presynaptic::modulated).strength(1));
  EXPECT_GT(compare(strong), 1e-2);
  EXPECT_LE(compare(weak), 1e-5);
}

TEST_F(LinearEquivalenceTest, WrongFeedbackIsNotBackPropagation) {
  make_unitary();
  TwoPassForward gained(measured().gain(1.5));
  const auto expected = exact_gradients();
  const auto gradients = gradients_by(gained, net, x, target);
  for (const auto& [name, gradient] : expected) {
    const bool head = name[0] == '2';
    testing::expect_close(gradients.at(name), head ? gradient : 1.5 * gradient, exact, name);
  }
  EXPECT_GT(difference(gradients, expected), 0.3);
  TwoPassForward random(measured().feedback(Feedback::random));
  EXPECT_GT(compare(random), 0.1);
}

TEST_F(LinearEquivalenceTest, DirectFeedbackIsBackPropagationOfUnitaries) {
  make_unitary();
  for (int step = 0; step < 4; ++step) {
    const auto above_first = mesh_matrix(2).matmul(mesh_matrix(1)), above_second = mesh_matrix(2);
    DirectFeedback rule;
    rule.set_feedback({above_first.mH().contiguous(), above_second.mH().contiguous()});
    EXPECT_LE(compare(rule), exact) << "step " << step;
    // The transpose, the conjugate and the product in the other order are all wrong.
    for (const auto& wrong : {above_first.t(), above_first.conj().resolve_conj(),
                              mesh_matrix(1).matmul(mesh_matrix(2)).mH().contiguous()}) {
      DirectFeedback other;
      other.set_feedback({wrong, above_second.mH().contiguous()});
      EXPECT_GT(compare(other), 0.01);
    }
    descend(0.1);
  }
}

TEST_F(LinearEquivalenceTest, DirectFeedbackTakesLazyAdjoints) {
  make_unitary();
  DirectFeedback rule;
  rule.set_feedback({mesh_matrix(2).matmul(mesh_matrix(1)).mH(), mesh_matrix(2).mH()});
  EXPECT_LE(compare(rule), exact);
}

TEST_F(LinearEquivalenceTest, TwoPassForwardIsBackPropagationOfOrthogonalLayers) {
  make_orthogonal();
  TwoPassForward rule(measured());
  for (int step = 0; step < 4; ++step) {
    EXPECT_LE(compare(rule), exact) << "step " << step;
    descend(0.05);
    EXPECT_GT(compare(rule), exact) << "no longer orthogonal";
    orthogonalise();
  }
}

TEST_F(LinearEquivalenceTest, TwoPassForwardIsBackPropagationOfWeightBanks) {
  make_banks();
  TwoPassForward rule(measured());
  for (int step = 0; step < 4; ++step) {
    EXPECT_LE(compare(rule), 1e-7) << "step " << step;  // a weight of exactly -1 is 1e-9 away
    descend(0.02);
    EXPECT_GT(compare(rule), 1e-6) << "no longer orthogonal";
    orthogonalise_banks();
  }
}

TEST_F(LinearEquivalenceTest, DirectFeedbackIsBackPropagationOfAnyRealMatrices) {
  make_orthogonal();
  descend(0.3);
  const auto weight = [&](int i) { return net->named_parameters()[std::to_string(i) + ".weight"].detach(); };
  for (int step = 0; step < 3; ++step) {
    DirectFeedback rule;
    rule.set_feedback({weight(2).matmul(weight(1)).t().contiguous(), weight(2).t().contiguous()});
    EXPECT_LE(compare(rule), exact) << "step " << step;
    DirectFeedback random;
    EXPECT_GT(compare(random), 0.1);
    descend(0.1);
  }
}

TEST_F(LinearEquivalenceTest, DirectFeedbackIsBackPropagationOfWeightBanks) {
  make_banks();
  net = Hybrid(WeightBank(WeightBankOptions(6, 5).gain(2)), WeightBank(WeightBankOptions(5, 4).gain(0.5)),
               WeightBank(WeightBankOptions(4, 3).gain(3)));
  net->to(torch::kFloat64);
  DirectFeedback rule;
  const auto w1 = bank(1).weight() * 0.5, w2 = bank(2).weight() * 3;
  rule.set_feedback({w2.matmul(w1).t().contiguous(), w2.t().contiguous()});
  EXPECT_LE(compare(rule), exact);
}

}  // namespace
}  // namespace optotorch
