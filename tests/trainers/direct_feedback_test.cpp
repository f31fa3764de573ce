#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/dense_projector.h>
#include <optotorch/modules/hadamard_projector.h>
#include <optotorch/modules/modulator.h>
#include <optotorch/modules/mzi_mesh.h>
#include <optotorch/modules/opu.h>
#include <optotorch/modules/photodetector.h>
#include <optotorch/modules/streamed_projector.h>
#include <optotorch/modules/tap.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/random_matrix.h>
#include <support/differences.h>
#include <support/errors.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;

const Loss squared = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().mean(); };

class DirectFeedbackTest : public ::testing::Test {
 protected:
  DirectFeedbackTest() {
    torch::manual_seed(19);
    net = Hybrid(Modulator(6), MziMesh(6), MziMesh(6), Photodetector(), torch::nn::Linear(6, 5),
                 torch::nn::Tanh(), torch::nn::Linear(5, 3));
    net->to(torch::kFloat64);
    x = torch::randn({8, 6}, torch::kFloat64);
    target = torch::randn({8, 3}, torch::kFloat64);
  }

  std::vector<torch::Tensor> gradients_by(Rule& rule, const torch::Tensor& input, const torch::Tensor& wanted,
                                          const Loss& loss = squared) {
    net->zero_grad();
    rule.step(*net, input, wanted, loss);
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : net->parameters()) {
      gradients.push_back(parameter.grad().clone());
    }
    net->zero_grad();
    return gradients;
  }

  static bool equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
      if (!a[i].equal(b[i])) {
        return false;
      }
    }
    return a.size() == b.size();
  }

  Hybrid net;
  torch::Tensor x, target;
};

TEST_F(DirectFeedbackTest, ASeedIsARun) {
  DirectFeedback one(DirectFeedbackOptions().seed(5)), same(DirectFeedbackOptions().seed(5)),
      other(DirectFeedbackOptions().seed(6));
  const auto gradients = gradients_by(one, x, target);
  torch::manual_seed(1234);  // LibTorch's generator has no say
  EXPECT_TRUE(equal(gradients, gradients_by(same, x, target)));
  EXPECT_TRUE(equal(gradients, gradients_by(one, x, target)));
  const auto different = gradients_by(other, x, target);
  EXPECT_FALSE(gradients[0].equal(different[0]));
  EXPECT_TRUE(gradients.back().equal(different.back()));  // the head is exact
  EXPECT_TRUE(one.state().empty());
}

TEST_F(DirectFeedbackTest, MatricesDoNotDependOnTheBatch) {
  DirectFeedback one, other;
  gradients_by(one, x.narrow(0, 0, 3), target.narrow(0, 0, 3));
  EXPECT_TRUE(equal(gradients_by(one, x, target), gradients_by(other, x, target)));
}

// The signal is linear in the error and averaged as the loss is: a batch of twice the samples has the same
// gradients.
TEST_F(DirectFeedbackTest, ARepeatedBatchHasTheSameGradients) {
  DirectFeedback rule;
  const auto once = gradients_by(rule, x, target);
  const auto twice = gradients_by(rule, at::cat({x, x}), at::cat({target, target}));
  for (size_t i = 0; i < once.size(); ++i) {
    expect_close(twice[i], once[i], 1e-12);
  }
}

TEST_F(DirectFeedbackTest, TheSignalIsTheMatrixTimesTheError) {
  std::vector<torch::Tensor> matrices = {torch::randn({6, 3}, torch::kComplexDouble),
                                         torch::randn({6, 3}, torch::kFloat64),
                                         torch::randn({5, 3}, torch::kFloat64)};
  DirectFeedback rule;
  rule.set_feedback(matrices);
  const auto gradients = gradients_by(rule, x, target);

  const auto passes = net->propagate(x);
  const auto error = 2 * (passes.back().output - target) / static_cast<double>(target.numel());
  const auto e = error.to(torch::kComplexDouble);
  net->layer(1).pullback(passes[1], e.matmul(matrices[0].t()), false);
  // The detector's slope is applied to the signal behind it.
  const auto behind = error.matmul(matrices[1].t());
  net->layer(2).pullback(passes[2], net->layer(3).pullback(passes[3], behind), false);
  for (const size_t mesh : {1, 2}) {
    const auto parameters = net->layer(mesh).parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      expect_close(gradients[3 * (mesh - 1) + i], parameters[i].grad(), 1e-13);
    }
  }
}

TEST_F(DirectFeedbackTest, ScaleMultipliesTheHiddenSignals) {
  DirectFeedback one, large(DirectFeedbackOptions().scale(4));
  const auto gradients = gradients_by(one, x, target), scaled = gradients_by(large, x, target);
  for (size_t i = 0; i < gradients.size(); ++i) {
    const bool head = i + 2 >= gradients.size();
    expect_close(scaled[i], head ? gradients[i] : 4 * gradients[i], 1e-13);
  }
}

TEST_F(DirectFeedbackTest, ConvolutionalBlocksGetTheirShape) {
  net = Hybrid(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 2, 3)), torch::nn::Tanh(), torch::nn::Flatten(),
               torch::nn::Linear(32, 3));
  DirectFeedback rule;
  const auto gradients = gradients_by(rule, torch::randn({4, 1, 6, 6}), torch::randn({4, 3}));
  EXPECT_EQ(gradients[0].sizes(), (at::IntArrayRef{2, 1, 3, 3}));
  EXPECT_GT(gradients[0].abs().max().item<double>(), 0);
}

TEST_F(DirectFeedbackTest, BadInputIsRejectedAndTrainsNothing) {
  EXPECT_THROW(DirectFeedback(DirectFeedbackOptions().scale(0)), c10::ValueError);
  EXPECT_THROW(DirectFeedback(DirectFeedbackOptions().scale(-1)), c10::ValueError);
  EXPECT_THROW(DirectFeedback(DirectFeedbackOptions().scale(std::numeric_limits<double>::quiet_NaN())),
               c10::ValueError);
  DirectFeedback rule;
  const auto rejected = [&](const Loss& loss, const torch::Tensor& input) {
    EXPECT_THROW(rule.step(*net, input, target, loss), c10::ValueError);
    for (const auto& parameter : net->parameters()) {
      EXPECT_FALSE(parameter.grad().defined());
    }
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  rejected([&](const auto& y, const auto& t) { return (y - t).square().mean() * nan; }, x);
  rejected([](const auto& y, const auto& t) { return (y - t).square().mean() / 0; }, x);
  rejected([](const auto& y, const auto& t) { return (y - t).square().mean(1); }, x);
  rejected(squared, at::full_like(x, nan));
  rejected(squared, x.to(torch::kFloat32));
  Hybrid without(Modulator(4), Photodetector());
  EXPECT_THROW(rule.step(*without, x, target, squared), c10::ValueError);
  DirectFeedback wrong_shape;
  wrong_shape.set_feedback({torch::randn({3, 6}, torch::kComplexDouble)});
  EXPECT_THROW(wrong_shape.step(*net, x, target, squared), c10::ValueError);
}

// Rows of one matrix, in the order of the blocks: two meshes of 6 complex ports (12 rows each), the detectors
// belong to the second; 5 real outputs.
TEST_F(DirectFeedbackTest, OneProjectorServesAllBlocks) {
  const auto matrix = torch::randn({12 + 6 + 5, 3}, torch::kFloat64);
  const auto make = [&](int64_t rows, int64_t columns) -> std::shared_ptr<Projector> {
    EXPECT_EQ(rows, 23);
    EXPECT_EQ(columns, 3);
    return std::make_shared<DenseProjector>(matrix);
  };
  DirectFeedback rule(DirectFeedbackOptions().projector(make).scale(2)), given;
  const auto scaled = matrix * (2 / std::sqrt(3.0));
  const auto complex =
      at::view_as_complex(scaled.narrow(0, 0, 12).view({6, 2, 3}).transpose(1, 2).contiguous());
  given.set_feedback({complex / std::sqrt(2.0), scaled.narrow(0, 12, 6), scaled.narrow(0, 18, 5)});
  const auto gradients = gradients_by(rule, x, target), expected = gradients_by(given, x, target);
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i], 1e-12);
  }
}

TEST_F(DirectFeedbackTest, SharedRowsAreTheFirstOnes) {
  net = Hybrid(torch::nn::Linear(6, 7), torch::nn::Tanh(), torch::nn::Linear(7, 5), torch::nn::Tanh(),
               torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto matrix = torch::randn({7, 3}, torch::kFloat64);
  DirectFeedback rule(DirectFeedbackOptions().shared_rows(true).projector(
      [&](int64_t rows, int64_t) -> std::shared_ptr<Projector> {
        EXPECT_EQ(rows, 7);
        return std::make_shared<DenseProjector>(matrix);
      }));
  DirectFeedback given;
  const auto scaled = matrix / std::sqrt(3.0);
  given.set_feedback({scaled, scaled.narrow(0, 0, 5)});
  const auto gradients = gradients_by(rule, x, target), expected = gradients_by(given, x, target);
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i], 1e-12);
  }
}

// sum_f a_f B q_f of each sample's own error, whatever the batch.
TEST_F(DirectFeedbackTest, TernaryFramesStandForTheError) {
  const auto matrix = torch::randn({23, 3}, torch::kFloat64);
  const auto make = [&](int64_t, int64_t) -> std::shared_ptr<Projector> {
    return std::make_shared<DenseProjector>(matrix);
  };
  const auto ternary = TernaryFramesOptions().threshold(Threshold::absolute).level(0.05).frames(3);
  DirectFeedback rule(DirectFeedbackOptions().projector(make).ternary(ternary));
  const auto gradients = gradients_by(rule, x, target);
  const auto output = net->propagate(x).back().output;
  const auto error = 2 * (output - target) / 3;  // of a sample
  auto shown = torch::zeros_like(error);
  for (const auto& frame : TernaryFrames(ternary).encode(error)) {
    shown += frame.values * frame.gain;
  }
  ASSERT_GT(testing::relative_distance(shown, error), 0.01);
  // The same error by itself, shown as it is.
  DirectFeedback plain(DirectFeedbackOptions().projector(make));
  const Loss linear = [&](const torch::Tensor& y, const torch::Tensor&) { return (y * shown).sum() / 8; };
  const auto expected = gradients_by(plain, x, target, linear);
  for (size_t i = 0; i + 2 < expected.size(); ++i) {
    expect_close(gradients[i], expected[i], 1e-6);  // frames are multiplied in float32
  }
}

TEST_F(DirectFeedbackTest, AnyProjectorTeaches) {
  const std::vector<MakeProjector> all = {
      [](int64_t r, int64_t c) { return std::make_shared<StreamedProjector>(r, c, 1); },
      [](int64_t r, int64_t c) {
        return std::make_shared<StreamedProjector>(r, c, 1, ops::Entries::rademacher);
      },
      [](int64_t r, int64_t c) { return std::make_shared<HadamardProjector>(r, c, 1); },
      [](int64_t r, int64_t c) { return std::make_shared<Opu>(OpuOptions(r, c)); }};
  for (const auto& make : all) {
    DirectFeedback rule(DirectFeedbackOptions().projector(make).ternary(TernaryFramesOptions()));
    for (const auto& gradient : gradients_by(rule, x, target)) {
      EXPECT_GT(gradient.abs().max().item<double>(), 0);
    }
  }
  // Streamed, and stored: the same numbers.
  DirectFeedback dense(DirectFeedbackOptions().seed(1)), streamed(DirectFeedbackOptions().projector(all[0]));
  const auto one = gradients_by(dense, x, target), other = gradients_by(streamed, x, target);
  for (size_t i = 0; i < one.size(); ++i) {
    expect_close(other[i], one[i], 1e-12);
  }
}

TEST_F(DirectFeedbackTest, NoiseOfAProjectorContinuesAfterARestart) {
  const auto options = DirectFeedbackOptions()
                           .projector([](int64_t r, int64_t c) -> std::shared_ptr<Projector> {
                             return std::make_shared<Opu>(OpuOptions(r, c));
                           })
                           .ternary(TernaryFramesOptions());
  DirectFeedback rule(options), resumed(options);
  const auto first = gradients_by(rule, x, target);
  const auto state = rule.state();
  EXPECT_FALSE(state.empty());
  const auto second = gradients_by(rule, x, target);
  EXPECT_FALSE(equal(first, second));
  resumed.load_state(state);
  EXPECT_TRUE(equal(gradients_by(resumed, x, target), second));
}

/// Two parts before the read-out, with a residual path around the second that begins behind a tap.
struct TappedImpl : torch::nn::Cloneable<TappedImpl> {
  TappedImpl() { reset(); }
  void reset() override {
    first = register_module("first", torch::nn::Linear(6, 5));
    second = register_module("second", torch::nn::Linear(5, 5));
    last = register_module("last", torch::nn::Linear(5, 3));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const auto h = tap(first(x).tanh());
    const auto g = tap(h + second(h).tanh());
    return last(g);
  }
  torch::nn::Linear first{nullptr}, second{nullptr}, last{nullptr};
};
TORCH_MODULE(Tapped);

TEST_F(DirectFeedbackTest, AnEmptyStateIsThatBeforeTheFirstStep) {
  DirectFeedback rule(
      DirectFeedbackOptions()
          .projector([](int64_t r, int64_t c) { return std::make_shared<Opu>(OpuOptions(r, c)); })
          .ternary(TernaryFramesOptions()));
  const auto before = rule.state();
  const auto first = gradients_by(rule, x, target);
  EXPECT_FALSE(equal(gradients_by(rule, x, target), first));  // other noise
  rule.load_state(before);
  EXPECT_TRUE(equal(gradients_by(rule, x, target), first));
}

TEST_F(DirectFeedbackTest, SignalsEnterAtTaps) {
  Tapped tapped;
  net = Hybrid(tapped);
  net->to(torch::kFloat64);
  const auto b1 = torch::randn({5, 3}, torch::kFloat64), b2 = torch::randn({5, 3}, torch::kFloat64);
  DirectFeedback rule;
  rule.set_feedback({b1, b2});
  const auto gradients = gradients_by(rule, x, target);
  // By hand.
  const auto h = (x.matmul(tapped->first->weight.t()) + tapped->first->bias).tanh().detach();
  const auto t = (h.matmul(tapped->second->weight.t()) + tapped->second->bias).tanh().detach();
  const auto y = ((h + t).matmul(tapped->last->weight.t()) + tapped->last->bias).detach();
  const auto e = 2 * (y - target) / static_cast<double>(y.numel());
  const auto s1 = e.matmul(b1.t()) * (1 - h.square()), s2 = e.matmul(b2.t()) * (1 - t.square());
  const std::vector<torch::Tensor> expected = {s1.t().matmul(x), s1.sum(0),           s2.t().matmul(h),
                                               s2.sum(0),        e.t().matmul(h + t), e.sum(0)};
  ASSERT_EQ(gradients.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i].detach(), 1e-12);
  }
}

TEST_F(DirectFeedbackTest, TapsThatWouldTeachNothingAreRejected) {
  net = Hybrid(Tapped());
  net->to(torch::kFloat64);
  DirectFeedback at_input(DirectFeedbackOptions().error(ErrorOf::head_input));
  EXPECT_SAYS(at_input.step(*net, x, target, squared),
              "error: expected ErrorOf::output for a read-out with taps");
  net = Hybrid(torch::nn::Linear(6, 5),
               torch::nn::Functional([](const torch::Tensor& v) { return tap(v.tanh()); }),
               torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  EXPECT_SAYS(DirectFeedback().step(*net, x, target, squared),
              "tap: expected one in a module with the parameters");
  for (const auto& parameter : net->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_F(DirectFeedbackTest, EmptyBatchesAreRejected) {
  const Loss summed = [](const torch::Tensor& y, const torch::Tensor& t) { return (y - t).square().sum(); };
  net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  DirectFeedback rule, given;
  given.set_feedback({torch::ones({5, 3}, torch::kFloat64)});
  EXPECT_SAYS(rule.step(*net, x.slice(0, 0, 0), target.slice(0, 0, 0), summed), "one sample or more");
  EXPECT_SAYS(given.step(*net, x.slice(0, 0, 0), target.slice(0, 0, 0), summed), "one sample or more");
}

TEST_F(DirectFeedbackTest, AnOutputOfOneValueMayBeFlat) {
  const auto hidden = torch::nn::Linear(6, 5), last = torch::nn::Linear(5, 1);
  const auto flat = torch::nn::Functional([](const torch::Tensor& v) { return v.squeeze(1); });
  DirectFeedback rule, given;
  given.set_feedback({torch::ones({5, 1}, torch::kFloat64)});
  for (Rule* each : {static_cast<Rule*>(&rule), static_cast<Rule*>(&given)}) {
    net = Hybrid(hidden, torch::nn::Tanh(), last);
    net->to(torch::kFloat64);
    const auto expected = gradients_by(*each, x, target.slice(1, 0, 1));
    net = Hybrid(hidden, torch::nn::Tanh(), last, flat);
    EXPECT_TRUE(equal(gradients_by(*each, x, target.select(1, 0)), expected));
  }
}

/// Hardware that reads nothing but NaN.
class BrokenProjector : public Projector {
 public:
  using Projector::Projector;
  std::string name() const override { return "BrokenProjector"; }

 protected:
  torch::Tensor compute(const torch::Tensor& x, int64_t, int64_t rows) override {
    return torch::full({x.size(0), rows}, std::numeric_limits<double>::quiet_NaN(), x.scalar_type());
  }
};

TEST_F(DirectFeedbackTest, ProjectorsOfUsersAreNotTrusted) {
  DirectFeedback none(DirectFeedbackOptions().projector(
      [](int64_t, int64_t) -> std::shared_ptr<Projector> { return nullptr; }));
  EXPECT_SAYS(none.step(*net, x, target, squared), "projector: expected a function that makes one");
  DirectFeedback broken(
      DirectFeedbackOptions().projector([](int64_t r, int64_t c) -> std::shared_ptr<Projector> {
        return std::make_shared<BrokenProjector>(r, c);
      }));
  EXPECT_SAYS(broken.step(*net, x, target, squared), "signal");
}

TEST_F(DirectFeedbackTest, AnotherProjectorsStateIsNeverTaken) {
  const std::map<std::string, torch::Tensor> foreign = {{"steps", torch::ones({}, torch::kInt64)}};
  DirectFeedback dense;
  dense.load_state(foreign);
  DirectFeedback optical(
      DirectFeedbackOptions()
          .projector([](int64_t r, int64_t c) { return std::make_shared<Opu>(OpuOptions(r, c)); })
          .ternary(TernaryFramesOptions()));
  optical.load_state(foreign);
  for (int again = 0; again < 2; ++again) {
    EXPECT_SAYS(dense.step(*net, x, target, squared), "state is of another projector");
    EXPECT_SAYS(optical.step(*net, x, target, squared), "state is of another projector");
  }
}

TEST_F(DirectFeedbackTest, TheErrorAtTheHeadsInputIsWhatTheHeadPullsBack) {
  net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto b = torch::randn({5, 5}, torch::kFloat64);
  DirectFeedback rule(DirectFeedbackOptions().error(ErrorOf::head_input)), whole;
  rule.set_feedback({b});
  whole.set_feedback({b.matmul(net->named_parameters()["2.weight"].detach().t())});
  const auto gradients = gradients_by(rule, x, target), expected = gradients_by(whole, x, target);
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i], 1e-12);
  }
}

TEST_F(DirectFeedbackTest, TokensShareRows) {
  net = Hybrid(torch::nn::Linear(6, 5), torch::nn::Tanh(), torch::nn::Linear(5, 3));
  net->to(torch::kFloat64);
  const auto matrix = torch::randn({5, 3}, torch::kFloat64);
  const auto options = DirectFeedbackOptions().per_token(true).projector(
      [&](int64_t rows, int64_t) -> std::shared_ptr<Projector> {
        EXPECT_EQ(rows, 5);
        return std::make_shared<DenseProjector>(matrix);
      });
  DirectFeedback tokens(options), samples(options);
  const auto sequence = torch::randn({4, 7, 6}, torch::kFloat64),
             wanted = torch::randn({4, 7, 3}, torch::kFloat64);
  const auto gradients = gradients_by(tokens, sequence, wanted);
  const auto expected = gradients_by(samples, sequence.flatten(0, 1), wanted.flatten(0, 1));
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(gradients[i], expected[i], 1e-12);
  }
}

TEST_F(DirectFeedbackTest, RandomMatricesHaveTheirMoments) {
  for (const auto type : {torch::kFloat64, torch::kComplexDouble}) {
    const auto m = normal_matrix(300, 200, 1, 2, type);
    EXPECT_EQ(m.scalar_type(), type);
    EXPECT_LE(m.mean().abs().item<double>(), 4 / std::sqrt(60000.0));
    EXPECT_NEAR(m.abs().square().mean().item<double>(), 1, 0.03);
    EXPECT_LE((m * m.roll(1, 0)).mean().abs().item<double>(), 4 / std::sqrt(60000.0));
    EXPECT_FALSE(m.equal(normal_matrix(300, 200, 1, 3, type)));
    EXPECT_FALSE(m.equal(normal_matrix(300, 200, 2, 2, type)));
  }
  const auto z = normal_matrix(300, 200, 1, 2, torch::kComplexDouble);
  EXPECT_NEAR(at::real(z).square().mean().item<double>(), 0.5, 0.015);
  EXPECT_LE((at::real(z) * at::imag(z)).mean().abs().item<double>(), 4 * 0.5 / std::sqrt(60000.0));
  expect_close(normal_matrix(30, 20, 1, 2, torch::kFloat32),
               normal_matrix(30, 20, 1, 2, torch::kFloat64).to(torch::kFloat32), 0);
  const auto u = uniform_matrix(300, 200, 1, 2, torch::kFloat64);
  EXPECT_LE(u.abs().max().item<double>(), 1);
  EXPECT_GT(u.abs().max().item<double>(), 0.999);
  EXPECT_LE(u.mean().abs().item<double>(), 4 / std::sqrt(3 * 60000.0));
  EXPECT_NEAR(u.square().mean().item<double>(), 1.0 / 3, 0.01);
}

}  // namespace
}  // namespace optotorch
