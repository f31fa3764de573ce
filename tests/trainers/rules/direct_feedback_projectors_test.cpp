#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/projectors/dense_projector.h>
#include <optotorch/modules/projectors/hadamard_projector.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/modules/projectors/streamed_projector.h>
#include <support/differences.h>
#include <support/direct_feedback.h>
#include <support/errors.h>

#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::squared;

using DirectFeedbackProjectorsTest = testing::DirectFeedbackFixture;

// Rows of one matrix, in the order of the blocks: two meshes of 6 complex ports (12 rows each), the detectors
// belong to the second; 5 real outputs.
TEST_F(DirectFeedbackProjectorsTest, OneProjectorServesAllBlocks) {
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

TEST_F(DirectFeedbackProjectorsTest, SharedRowsAreTheFirstOnes) {
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
TEST_F(DirectFeedbackProjectorsTest, TernaryFramesStandForTheError) {
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

TEST_F(DirectFeedbackProjectorsTest, AnyProjectorTeaches) {
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

TEST_F(DirectFeedbackProjectorsTest, NoiseOfAProjectorContinuesAfterARestart) {
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

TEST_F(DirectFeedbackProjectorsTest, AnEmptyStateIsThatBeforeTheFirstStep) {
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

TEST_F(DirectFeedbackProjectorsTest, ProjectorsOfUsersAreNotTrusted) {
  DirectFeedback none(DirectFeedbackOptions().projector(
      [](int64_t, int64_t) -> std::shared_ptr<Projector> { return nullptr; }));
  EXPECT_SAYS(none.step(*net, x, target, squared), "projector: expected a function that makes one");
  DirectFeedback broken(
      DirectFeedbackOptions().projector([](int64_t r, int64_t c) -> std::shared_ptr<Projector> {
        return std::make_shared<BrokenProjector>(r, c);
      }));
  EXPECT_SAYS(broken.step(*net, x, target, squared), "signal");
}

TEST_F(DirectFeedbackProjectorsTest, AnotherProjectorsStateIsNeverTaken) {
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

}  // namespace
}  // namespace optotorch
