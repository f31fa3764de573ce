#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/photodetect.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>
#include <limits>

namespace optotorch {
namespace {

using ops::photodetect;
using ops::photodetect_backward;
using ops::photodetect_reference;
using testing::expect_close;

TEST(PhotodetectTest, IsTheReferenceInBothPrecisionsAndAnyShape) {
  at::manual_seed(1);
  for (const auto& shape : std::vector<std::vector<int64_t>>{{7, 5}, {3}, {}, {2, 3, 4, 5}, {0, 4}}) {
    const auto z = at::randn(shape, at::kComplexDouble);
    expect_close(photodetect(z), photodetect_reference(z), 1e-15);
    EXPECT_EQ(photodetect(z).scalar_type(), at::kDouble);
    expect_close(photodetect(z.to(at::kComplexFloat)), photodetect_reference(z).to(at::kFloat), 1e-6);
  }
  // |3 + 4i|^2
  EXPECT_EQ(photodetect(at::complex(at::full({1}, 3.0), at::full({1}, 4.0))).item<double>(), 25);
}

TEST(PhotodetectTest, ReadsStridedAndConjugatedFields) {
  at::manual_seed(2);
  const auto z = at::randn({6, 8}, at::kComplexDouble);
  expect_close(photodetect(z.t()), photodetect_reference(z.t().contiguous()), 1e-15);
  expect_close(photodetect(z.conj()), photodetect_reference(z), 1e-15);
  expect_close(photodetect(z.slice(1, 1, 8, 3)), photodetect_reference(z.slice(1, 1, 8, 3).contiguous()),
               1e-15);
}

TEST(PhotodetectTest, BackwardIsTheDerivative) {
  at::manual_seed(3);
  auto z = at::randn({4, 5}, at::kComplexDouble);
  const auto w = at::randn({4, 5}, at::kDouble);
  const auto loss = [&] { return (w * photodetect(z)).sum().item<double>(); };
  expect_close(photodetect_backward(w, z), testing::central_differences(loss, z), 1e-10);

  const auto leaf = z.clone().requires_grad_(), reference = z.clone().requires_grad_();
  (w * photodetect(leaf)).sum().backward();
  (w * photodetect_reference(reference)).sum().backward();
  expect_close(leaf.grad(), reference.grad(), 1e-14);
  expect_close(photodetect_backward(w, z.conj()), photodetect_backward(w, z.conj().resolve_conj()), 1e-15);
}

TEST(PhotodetectTest, NoiseHasNoSlope) {
  at::manual_seed(4);
  const auto z = at::randn({4, 5}, at::kComplexDouble), w = at::randn({4, 5}, at::kDouble);
  const auto leaf = z.clone().requires_grad_();
  (w * photodetect(leaf, 0.5, 0.3, 8, 9)).sum().backward();
  expect_close(leaf.grad(), photodetect_backward(w, z), 1e-15);
}

// A million draws of a known distribution: mean, variance and kurtosis within six deviations of their
// estimators; the moments of one kind of noise would not pass for those of another.
class PhotodetectNoiseTest : public ::testing::TestWithParam<std::tuple<double, double, double>> {};

TEST_P(PhotodetectNoiseTest, HasItsMoments) {
  const auto [intensity, shot, thermal] = GetParam();
  constexpr int64_t count = 1'000'000;
  const auto z =
      at::full({count}, c10::complex<double>(std::sqrt(intensity) * 0.6, std::sqrt(intensity) * 0.8),
               at::kComplexDouble);
  const auto noise = photodetect(z, shot, thermal, 77, 3) - intensity;
  const double variance = shot * intensity + thermal * thermal;
  const double n = static_cast<double>(count);
  EXPECT_LE(std::abs(noise.mean().item<double>()), 6 * std::sqrt(variance / n));
  EXPECT_NEAR(noise.square().mean().item<double>(), variance, 6 * variance * std::sqrt(2 / n));
  EXPECT_NEAR(noise.pow(4).mean().item<double>(), 3 * variance * variance,
              6 * variance * variance * std::sqrt(96 / n));
  // Neighbours, and the same element of the next call, are independent.
  const auto next = photodetect(z, shot, thermal, 77, 4) - intensity;
  const auto other_seed = photodetect(z, shot, thermal, 78, 3) - intensity;
  for (const auto& other : {noise.roll(1, 0), next, other_seed}) {
    EXPECT_LE(std::abs((noise * other).mean().item<double>()), 6 * variance / std::sqrt(n));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PhotodetectNoiseTest,
                         ::testing::Values(std::tuple(2.0, 0.5, 0.0), std::tuple(2.0, 0.0, 0.5),
                                           std::tuple(4.0, 0.01, 0.3), std::tuple(0.0, 1.0, 0.2)));

TEST(PhotodetectTest, DarkPortsHaveNoShotNoise) {
  const auto z = at::zeros({1000}, at::kComplexDouble);
  EXPECT_TRUE(photodetect(z, /*shot=*/10).equal(at::zeros({1000}, at::kDouble)));
}

TEST(PhotodetectTest, NoiseRepeatsBySeedAndCounter) {
  const auto z = at::ones({3, 40}, at::kComplexDouble);
  const auto draw = photodetect(z, 0.1, 0.1, 5, 6);
  EXPECT_TRUE(draw.equal(photodetect(z, 0.1, 0.1, 5, 6)));
  EXPECT_FALSE(draw.equal(photodetect(z, 0.1, 0.1, 6, 5)));
  // float32 draws the same numbers, rounded.
  expect_close(photodetect(z.to(at::kComplexFloat), 0.1, 0.1, 5, 6), draw.to(at::kFloat), 1e-6);
  // The first elements do not depend on how many follow.
  EXPECT_TRUE(photodetect(z.narrow(0, 0, 1), 0.1, 0.1, 5, 6).equal(draw.narrow(0, 0, 1)));
}

TEST(PhotodetectTest, NoiseDoesNotDependOnThreads) {
  const auto z = at::ones({200'001}, at::kComplexDouble);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = photodetect(z, 0.1, 0.1, 5, 6);
  at::set_num_threads(3);
  const auto three = photodetect(z, 0.1, 0.1, 5, 6);
  at::set_num_threads(threads);
  EXPECT_TRUE(one.equal(three));
}

TEST(PhotodetectTest, MetaHasTheShape) {
  const auto y = photodetect(at::empty({3, 5}, at::TensorOptions(at::kComplexFloat).device(at::kMeta)));
  EXPECT_TRUE(y.is_meta());
  EXPECT_EQ(y.sizes(), (at::IntArrayRef{3, 5}));
  EXPECT_EQ(y.scalar_type(), at::kFloat);
}

TEST(PhotodetectTest, SaysWhatIsWrong) {
  const auto z = at::ones({2, 3}, at::kComplexFloat);
  expect_complaint({"photodetect", "complex64 or complex128", "float32 [2, 3]", "Modulator"}, [] {
    photodetect(at::ones({2, 3}));
  });
  expect_complaint({"photodetect", "shot >= 0", "-1"}, [&] { photodetect(z, -1); });
  expect_complaint({"photodetect", "thermal >= 0", "-0.5"}, [&] { photodetect(z, 0, -0.5); });
  expect_complaint({"photodetect", "nan"}, [&] { photodetect(z, std::numeric_limits<double>::quiet_NaN()); });
  expect_complaint({"photodetect_backward", "dL_dintensity", "complex64 [2, 3]", "float32 [3, 2]"}, [&] {
    photodetect_backward(at::ones({3, 2}), z);
  });
  expect_complaint({"photodetect_backward", "dL_dintensity", "float64 [2, 3]"}, [&] {
    photodetect_backward(at::ones({2, 3}, at::kDouble), z);
  });
}

}  // namespace
}  // namespace optotorch
