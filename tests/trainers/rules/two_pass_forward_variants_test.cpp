// The variants of two-pass forward propagation: signals, entrances, feedback, and what runs beside them.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/differences.h>
#include <support/losses.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::relative_distance;
using testing::squared_error;

constexpr int64_t variant_batch = 8;

class TwoPassForwardVariantsTest : public ::testing::Test {
 protected:
  TwoPassForwardVariantsTest() {
    torch::manual_seed(31);
    x = torch::randn({variant_batch, 6}, torch::kFloat64);
    target = torch::randn({variant_batch, 3}, torch::kFloat64);
  }

  static Hybrid optical(Detection detection) {
    Hybrid net(Modulator(6), MziMesh(6), Photodetector(PhotodetectorOptions().detection(detection)),
               torch::nn::Linear(6, 3));
    net->to(torch::kFloat64);
    return net;
  }

  static Hybrid electronic() {
    Hybrid net(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 4), torch::nn::Tanh(),
               torch::nn::Linear(4, 3));
    net->to(torch::kFloat64);
    return net;
  }

  std::vector<torch::Tensor> gradients(Rule& rule, Hybrid& net) const {
    net->zero_grad();
    rule.step(*net, x, target, squared_error);
    std::vector<torch::Tensor> found;
    for (auto& parameter : net->parameters()) {
      found.push_back(parameter.grad().clone());
      parameter.mutable_grad() = torch::Tensor();
    }
    return found;
  }

  static double cosine(const torch::Tensor& a, const torch::Tensor& b) {
    return (at::dot(a.flatten(), b.flatten()) / (a.norm() * b.norm())).item<double>();
  }

  static TwoPassForwardOptions exact() {
    return TwoPassForwardOptions().feedback(Feedback::adjoint).presynaptic(Presynaptic::clean);
  }

  torch::Tensor x, target;
};

// M = A^T and s -> 0: the gradient of every phase, with an error of order s.
TEST_F(TwoPassForwardVariantsTest, QuadratureIsBackPropagationInTheLimit) {
  for (const auto detection : {Detection::amplitude, Detection::intensity}) {
    auto net = optical(detection);
    BackPropagation bp;
    const auto expected = gradients(bp, net);
    const auto error_at = [&](double s) {
      TwoPassForward rule(exact().signal(Signal::quadrature).strength(s));
      const auto found = gradients(rule, net);
      double largest = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, relative_distance(found[i], expected[i]));
      }
      return largest;
    };
    const double coarse = error_at(1e-4), fine = error_at(1e-6);
    EXPECT_LT(coarse, 1e-2);
    EXPECT_LT(fine, 1e-4);
    EXPECT_NEAR(coarse / fine, 100, 30);  // order s, not s^2 and not a constant
  }
}

TEST_F(TwoPassForwardVariantsTest, DifferenceIsTheRealPart) {
  auto net = optical(Detection::intensity);
  const auto w = dynamic_cast<MziMeshImpl&>(net->layer(1)).matrix();
  const auto a = net->named_parameters()["3.weight"].detach();
  TwoPassForward rule(exact().strength(1e-7));
  const auto found = gradients(rule, net);
  // The signal by hand: 2 Re(conj(z) c), c = A^T e, into the mesh's own pull-back.
  auto& mesh = dynamic_cast<MziMeshImpl&>(net->layer(1));
  const auto field = at::complex(x, at::zeros_like(x));
  const auto pass = mesh.propagate(field);
  const auto y = (pass.output.abs().square()).matmul(a.t()) + net->named_parameters()["3.bias"].detach();
  const auto c = (2 * (y - target) / (variant_batch * 3)).matmul(a);
  mesh.pullback(pass, (2 * at::real(pass.output) * c).to(torch::kComplexDouble));
  expect_close(found[0], mesh.theta.grad(), 1e-6, "theta");
  expect_close(found[1], mesh.phi.grad(), 1e-6, "phi");
  EXPECT_EQ(w.size(0), 6);
}

TEST_F(TwoPassForwardVariantsTest, HomodyneIsExactAndTheWrongSignalsAreNot) {
  auto net = optical(Detection::amplitude);
  BackPropagation bp;
  const auto expected = gradients(bp, net);
  TwoPassForward homodyne(exact().signal(Signal::homodyne).strength(0.5));
  TwoPassForward field(exact().signal(Signal::field).strength(0.5));
  TwoPassForward sloped(exact().signal(Signal::sloped).strength(1e-6));
  const auto read = gradients(homodyne, net), bare = gradients(field, net), twice = gradients(sloped, net);
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(read[i], expected[i], 1e-5);  // the detector reads sqrt(|z|^2 + 1e-8)
  }
  EXPECT_LT(cosine(bare[0], expected[0]), 0.9);
  // u Re(conj(u) c) instead of u c.
  EXPECT_LT(cosine(twice[0], expected[0]), 0.99);
  auto& mesh = dynamic_cast<MziMeshImpl&>(net->layer(1));
  const auto pass = mesh.propagate(at::complex(x, at::zeros_like(x)));
  const auto a = net->named_parameters()["3.weight"].detach();
  const auto y = at::abs(pass.output).matmul(a.t()) + net->named_parameters()["3.bias"].detach();
  const auto c = (2 * (y - target) / (variant_batch * 3)).matmul(a), u = pass.output / at::abs(pass.output);
  mesh.pullback(pass, u * at::real(u) * c);
  expect_close(twice[0], mesh.theta.grad(), 1e-5);
}

// Every hidden layer's pair, step by step as the header says.
TEST_F(TwoPassForwardVariantsTest, EntrancesAreWhereTheyAreSaidToBe) {
  auto net = electronic();
  std::vector<torch::Tensor> p;
  for (const auto& parameter : net->parameters()) {
    p.push_back(parameter.detach());
  }
  const auto h1 = (x.matmul(p[0].t()) + p[1]).tanh(), h2 = (h1.matmul(p[2].t()) + p[3]).tanh();
  const auto y = h2.matmul(p[4].t()) + p[5];
  const auto e = 2 * (y - target) / 3;  // of each sample
  const auto m2 = e.matmul(p[4]), m1 = m2.matmul(p[2]), m0 = m1.matmul(p[0]);
  for (const double s : {0.4, -0.7}) {
    for (const auto presynaptic : {Presynaptic::clean, Presynaptic::modulated}) {
      const bool clean = presynaptic == Presynaptic::clean;
      {
        TwoPassForward rule(
            exact().entrance(Entrance::inputs).strength(s).presynaptic(presynaptic).hidden_gain(3));
        const auto found = gradients(rule, net);
        const auto x1 = x - s * m0, x2 = h1 - s * m1;
        const auto s1 = (h1 - (x1.matmul(p[0].t()) + p[1]).tanh()) * 3 / s;
        const auto after = (x2.matmul(p[2].t()) + p[3]).tanh();
        const auto s2 = (h2 - after) * 3 / s;
        expect_close(found[0], s1.t().matmul(clean ? x : x1) / variant_batch, 1e-12, "inputs, w1");
        expect_close(found[1], s1.mean(0), 1e-12, "inputs, b1");
        expect_close(found[2], s2.t().matmul(clean ? h1 : x2) / variant_batch, 1e-12, "inputs, w2");
        expect_close(found[4], e.t().matmul(clean ? h2 : after) / variant_batch, 1e-12, "inputs, head");
      }
      {
        TwoPassForward rule(exact().entrance(Entrance::outputs).strength(s).presynaptic(presynaptic));
        const auto found = gradients(rule, net);
        const auto s1 = (h1 - (x.matmul(p[0].t()) + p[1] - s * m1).tanh()) / s;
        const auto after = (h1.matmul(p[2].t()) + p[3] - s * m2).tanh();
        const auto s2 = (h2 - after) / s;
        expect_close(found[0], s1.t().matmul(x) / variant_batch, 1e-12, "outputs, w1");
        expect_close(found[2], s2.t().matmul(h1) / variant_batch, 1e-12, "outputs, w2");
        expect_close(found[3], s2.mean(0), 1e-12, "outputs, b2");
        expect_close(found[4], e.t().matmul(clean ? h2 : after) / variant_batch, 1e-12, "outputs, head");
      }
    }
  }
}

TEST_F(TwoPassForwardVariantsTest, RecomputationChangesNothing) {
  for (const auto entrance : {Entrance::single, Entrance::inputs, Entrance::outputs}) {
    for (const auto presynaptic : {Presynaptic::clean, Presynaptic::modulated}) {
      for (const auto feedback : {Feedback::random, Feedback::twin, Feedback::adjoint, Feedback::mirror}) {
        const auto run = [&](bool recompute) {
          torch::manual_seed(3);
          Hybrid net(Modulator(6), MziMesh(6), Photodetector(), torch::nn::Dropout(0.5),
                     torch::nn::Linear(6, 5), torch::nn::BatchNorm1d(5), torch::nn::Tanh(),
                     torch::nn::Dropout(0.5), torch::nn::Linear(5, 3));
          net->to(torch::kFloat64);
          TwoPassForward rule(TwoPassForwardOptions()
                                  .entrance(entrance)
                                  .presynaptic(presynaptic)
                                  .feedback(feedback)
                                  .strength(0.3)
                                  .recompute(recompute));
          auto found = gradients(rule, net);
          for (auto& gradient : gradients(rule, net)) {  // a second step: masks differ from the first's
            found.push_back(gradient);
          }
          for (const auto& buffer : net->buffers()) {
            if (buffer.is_floating_point()) {
              found.push_back(buffer.clone());
            }
          }
          return found;
        };
        const auto kept = run(false), recomputed = run(true);
        ASSERT_EQ(kept.size(), recomputed.size());
        for (size_t i = 0; i < kept.size(); ++i) {
          EXPECT_TRUE(kept[i].equal(recomputed[i])) << i;
        }
      }
    }
  }
}

TEST_F(TwoPassForwardVariantsTest, ADroppedUnitIsDroppedInBothPasses) {
  x = x.narrow(0, 0, 1);
  target = target.narrow(0, 0, 1);
  const auto silent_units = [&](bool same_mask) {
    torch::manual_seed(5);
    Hybrid net(torch::nn::Linear(6, 40), torch::nn::Dropout(0.5), torch::nn::Linear(40, 3));
    net->to(torch::kFloat64);
    TwoPassForward rule(TwoPassForwardOptions().same_mask(same_mask).gain(5));
    const auto silent = gradients(rule, net)[1] == 0;
    return silent.sum().item<int64_t>();
  };
  EXPECT_NEAR(static_cast<double>(silent_units(true)), 20, 10);  // dropped
  EXPECT_NEAR(static_cast<double>(silent_units(false)), 10, 8);  // dropped twice by chance
  EXPECT_LT(silent_units(false), silent_units(true));
}

TEST_F(TwoPassForwardVariantsTest, MirroringLearnsTheWeights) {
  Hybrid net(torch::nn::Linear(6, 5), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto w1 = net->named_parameters()["0.weight"].detach();
  const auto w2 = net->named_parameters()["1.weight"].detach();
  TwoPassForward mirror(TwoPassForwardOptions().feedback(Feedback::mirror));
  TwoPassForward random;
  gradients(mirror, net);
  gradients(random, net);
  const auto wanted = w2.matmul(w1).t();
  EXPECT_GT(cosine(mirror.feedback(), wanted), 0.97);
  EXPECT_LT(std::abs(cosine(random.feedback(), wanted)), 0.9);
  const double bound = 0.05;  // sqrt(6 / 6) = 1
  EXPECT_NEAR(mirror.feedback().square().mean().sqrt().item<double>(), bound / std::sqrt(3), 1e-12);
  // Estimated once: what it is does not follow the weights.
  const auto before = mirror.feedback().clone();
  net->named_parameters()["0.weight"].detach().mul_(-1);
  gradients(mirror, net);
  EXPECT_TRUE(mirror.feedback().equal(before));
}

TEST_F(TwoPassForwardVariantsTest, TheGainMultipliesWhatMirroringLearnt) {
  for (const bool light : {false, true}) {
    const auto net = light ? optical(Detection::amplitude) : electronic();
    const auto learnt = [&](double gain) {
      auto copy = std::dynamic_pointer_cast<HybridImpl>(net->clone());
      TwoPassForward rule(TwoPassForwardOptions().feedback(Feedback::mirror).gain(gain));
      rule.step(*copy, x, target, squared_error);
      return rule.feedback();
    };
    const auto one = learnt(1);
    for (const double gain : {-1.0, 3.0, -0.5}) {
      expect_close(learnt(gain), one * gain, 1e-12, std::to_string(gain));
    }
  }
}

// Read-outs often begin at zero. What is learnt through one is learnt again, whether or not the run was
// resumed in between.
TEST_F(TwoPassForwardVariantsTest, MirroringWaitsForAReadOutThatIsNotZero) {
  torch::Tensor uninterrupted;
  for (const bool resumed : {false, true}) {
    torch::manual_seed(3);
    auto net = optical(Detection::amplitude);
    {
      const torch::NoGradGuard no_grad;
      net->named_parameters()["3.weight"].zero_();
    }
    auto rule = std::make_unique<TwoPassForward>(TwoPassForwardOptions().feedback(Feedback::mirror));
    const auto first = gradients(*rule, net);
    EXPECT_EQ(first[0].abs().max().item<double>(), 0) << "theta: nothing comes back";
    EXPECT_FALSE(rule->feedback().defined());
    {
      const torch::NoGradGuard no_grad;
      net->named_parameters()["3.weight"].sub_(first[3]);
    }
    if (resumed) {
      const auto state = rule->state();
      rule = std::make_unique<TwoPassForward>(TwoPassForwardOptions().feedback(Feedback::mirror));
      rule->load_state(state);
    }
    const auto second = gradients(*rule, net);
    EXPECT_GT(second[0].abs().max().item<double>(), 0);
    const auto learnt = rule->feedback().clone();
    gradients(*rule, net);
    EXPECT_TRUE(rule->feedback().equal(learnt)) << "once";
    if (resumed) {
      EXPECT_TRUE(learnt.equal(uninterrupted));
    }
    uninterrupted = learnt;
  }
}

TEST_F(TwoPassForwardVariantsTest, TheAuthorsCodeIsBackPropagationAtTheModulatedInput) {
  auto net = electronic();
  TwoPassForward authors(TwoPassForwardOptions().modulated_input_backprop(true).gain(10).strength(-0.5));
  const auto found = gradients(authors, net);
  const auto y = net->forward(x);
  const auto e = 2 * (y - target) / 3;
  const auto f = authors.feedback();
  x = x + 0.5 * e.matmul(f.t());
  BackPropagation bp;
  const auto expected = gradients(bp, net);
  for (size_t i = 0; i < found.size(); ++i) {
    expect_close(found[i], expected[i], 1e-12);
  }
}

TEST_F(TwoPassForwardVariantsTest, SignsAndGainsActWhereTheyShould) {
  auto net = electronic();
  const auto with = [&](const TwoPassForwardOptions& options) {
    TwoPassForward rule(TwoPassForwardOptions(options).presynaptic(Presynaptic::clean));
    return gradients(rule, net);
  };
  const auto one = with(TwoPassForwardOptions().strength(1e-6));
  const auto reversed = with(TwoPassForwardOptions().strength(1e-6).gain(-1));
  const auto louder = with(TwoPassForwardOptions().strength(1e-6).hidden_gain(3));
  for (size_t i = 0; i < 4; ++i) {
    expect_close(reversed[i], -one[i], 1e-4);
    expect_close(louder[i], 3 * one[i], 1e-9);
  }
  expect_close(louder[4], one[4], 1e-15);
  expect_close(reversed[4], one[4], 1e-15);
}

TEST_F(TwoPassForwardVariantsTest, AResumedRunIsTheSameRun) {
  for (const auto entrance : {Entrance::single, Entrance::inputs, Entrance::outputs}) {
    for (const auto feedback : {Feedback::twin, Feedback::adjoint, Feedback::mirror}) {
      const auto options = TwoPassForwardOptions().feedback(feedback).entrance(entrance).refresh(5);
      auto net = electronic();
      TwoPassForward one(options), after(options);
      gradients(one, net);
      for (auto& parameter : net->parameters()) {
        parameter.detach().mul_(1.1);  // F is older than the weights
      }
      after.load_state(one.state());
      const auto expected = gradients(one, net), found = gradients(after, net);
      for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_TRUE(found[i].equal(expected[i]));
      }
      if (!(feedback == Feedback::twin && entrance == Entrance::outputs)) {
        auto state = one.state();
        state.begin()->second = torch::zeros({1});
        TwoPassForward damaged(options);
        damaged.load_state(state);
        EXPECT_THROW(gradients(damaged, net), c10::ValueError);
      }
    }
  }
}

TEST_F(TwoPassForwardVariantsTest, CombinationsThatMeanNothingAreRejected) {
  const auto options = TwoPassForwardOptions().modulated_input_backprop(true);
  EXPECT_THROW(TwoPassForward(TwoPassForwardOptions(options).entrance(Entrance::inputs)), c10::ValueError);
  EXPECT_THROW(TwoPassForward(TwoPassForwardOptions(options).recompute(true)), c10::ValueError);
  EXPECT_THROW(TwoPassForward(TwoPassForwardOptions().signal(Signal::quadrature).entrance(Entrance::outputs)),
               c10::ValueError);
  auto net = electronic();
  for (const auto signal : {Signal::quadrature, Signal::homodyne, Signal::field, Signal::sloped}) {
    TwoPassForward rule(TwoPassForwardOptions().signal(signal));
    EXPECT_THROW(rule.step(*net, x, target, squared_error), c10::ValueError);
  }
}

}  // namespace
}  // namespace optotorch
