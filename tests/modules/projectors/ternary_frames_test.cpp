#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/projectors/ternary_frames.h>
#include <support/differences.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;

at::Tensor decoded(const std::vector<TernaryFrame>& frames) {
  at::Tensor sum;
  for (const auto& frame : frames) {
    const auto part = frame.values.to(frame.gain.scalar_type()) * frame.gain;
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

/// One sample, value by value.
std::vector<double> slow(std::vector<double> rest, const TernaryFramesOptions& options) {
  std::vector<double> sum(rest.size());
  for (int64_t f = 0; f < options.frames(); ++f) {
    double power = 0;
    for (const double r : rest) {
      power += r * r;
    }
    const double t = options.threshold() == Threshold::rms
                         ? options.level() * std::sqrt(power / static_cast<double>(rest.size()))
                         : options.level();
    double shown = 0, size = 0;
    for (const double r : rest) {
      shown += std::abs(r) > t ? 1 : 0;
      size += std::abs(r) > t ? std::abs(r) : 0;
    }
    const double gain = shown == 0 ? 0 : options.gain() ? size / shown : 1;
    for (size_t i = 0; i < rest.size(); ++i) {
      const double part = std::abs(rest[i]) > t ? std::copysign(gain, rest[i]) : 0;
      sum[i] += part;
      rest[i] -= part;
    }
  }
  return sum;
}

TEST(TernaryFramesTest, IsWhatItsFormulaSays) {
  at::manual_seed(1);
  const auto e = at::randn({6, 33}, at::kDouble) * 0.3;
  for (const auto threshold : {Threshold::rms, Threshold::absolute}) {
    for (const int64_t count : {1, 2, 5}) {
      for (const bool gain : {true, false}) {
        const auto options = TernaryFramesOptions().threshold(threshold).level(0.4).frames(count).gain(gain);
        const auto frames = TernaryFrames(options).encode(e);
        ASSERT_EQ(frames.size(), static_cast<size_t>(count));
        const auto sum = decoded(frames);
        for (int64_t s = 0; s < e.size(0); ++s) {
          const auto* values = e[s].const_data_ptr<double>();
          const auto expected = slow({values, values + e.size(1)}, options);
          for (int64_t i = 0; i < e.size(1); ++i) {
            EXPECT_NEAR(sum[s][i].item<double>(), expected[static_cast<size_t>(i)], 1e-14);
          }
        }
        for (const auto& frame : frames) {
          EXPECT_EQ(frame.values.scalar_type(), at::kChar);
          EXPECT_LE(frame.values.abs().max().item<int64_t>(), 1);
        }
      }
    }
  }
}

TEST(TernaryFramesTest, MoreFramesComeNearer) {
  at::manual_seed(2);
  const auto e = at::randn({50, 128}, at::kDouble);
  double before = 1;
  for (const int64_t count : {1, 2, 4, 8}) {
    const auto sum = decoded(TernaryFrames(TernaryFramesOptions().frames(count)).encode(e));
    const double distance = ((sum - e).norm() / e.norm()).item<double>();
    EXPECT_LT(distance, 0.7 * before) << count;
    before = distance;
  }
}

TEST(TernaryFramesTest, AnRmsThresholdDoesNotKnowTheSize) {
  at::manual_seed(3);
  const auto e = at::randn({4, 20}, at::kDouble);
  const auto frames = TernaryFrames().encode(e), larger = TernaryFrames().encode(1024 * e);
  for (size_t f = 0; f < frames.size(); ++f) {
    EXPECT_TRUE(at::equal(frames[f].values, larger[f].values));
    expect_close(larger[f].gain, 1024 * frames[f].gain, 1e-15);
  }
}

// Softmax errors: one large value, many that are nearly 0 and differ in nothing but their noise. With a
// threshold of 0 all are equally loud.
TEST(TernaryFramesTest, AThresholdOfZeroDestroysTheSignal) {
  at::manual_seed(4);
  auto e = at::randn({200, 100}, at::kDouble) * 1e-3;
  e.select(1, 7).sub_(0.9);
  const auto cosine = [&](const at::Tensor& q) {
    return at::cosine_similarity(q, e, 1).mean().item<double>();
  };
  const auto published = TernaryFramesOptions().threshold(Threshold::absolute).frames(1).gain(false);
  EXPECT_GT(cosine(decoded(TernaryFrames(TernaryFramesOptions(published).level(0.1)).encode(e))), 0.99);
  EXPECT_LT(cosine(decoded(TernaryFrames(TernaryFramesOptions(published).level(0)).encode(e))), 0.15);
  EXPECT_LT(cosine(decoded(TernaryFrames(TernaryFramesOptions().frames(1).level(0)).encode(e))), 0.15);
}

TEST(TernaryFramesTest, NothingIsNothing) {
  for (const bool gain : {true, false}) {
    for (const auto& frame : TernaryFrames(TernaryFramesOptions().gain(gain)).encode(at::zeros({2, 5}))) {
      EXPECT_EQ(frame.values.abs().sum().item<int64_t>(), 0);
      EXPECT_EQ(frame.gain.abs().sum().item<double>(), 0);
    }
  }
}

TEST(TernaryFramesTest, RejectsWrongInput) {
  using Options = TernaryFramesOptions;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double level : {-0.1, 4.1, nan, std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(TernaryFrames(Options().level(level)), c10::ValueError) << level;
  }
  EXPECT_THROW(TernaryFrames(Options().threshold(Threshold::absolute).level(1.1)), c10::ValueError);
  EXPECT_THROW(TernaryFrames(Options().frames(0)), c10::ValueError);
  EXPECT_THROW(TernaryFrames(Options().frames(17)), c10::ValueError);
  EXPECT_THROW(TernaryFrames().encode(at::full({2, 3}, nan)), c10::ValueError);
  EXPECT_THROW(TernaryFrames().encode(at::ones({3})), c10::ValueError);
  EXPECT_THROW(TernaryFrames().encode(at::ones({2, 3}, at::kComplexFloat)), c10::ValueError);
  EXPECT_THROW(TernaryFrames().encode(at::Tensor()), c10::ValueError);
}

}  // namespace
}  // namespace optotorch
