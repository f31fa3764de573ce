#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/ops/random_projection.h>
#include <support/differences.h>
#include <support/errors.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace optotorch {
namespace {

using testing::expect_close;

constexpr int64_t opu_rows = 2000, opu_columns = 60;

at::Tensor opu_input(int64_t batch) {
  return at::randint(-1, 2, {batch, opu_columns}, at::kChar);
}

OpuOptions options(OpuModel model) {
  return OpuOptions(opu_rows, opu_columns).seed(5).model(model);
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return at::cosine_similarity(a, b, 1).mean().item<double>();
}

TEST(OpuTest, IdealIsTheRealPartOfTheField) {
  at::manual_seed(1);
  const auto q = opu_input(3);
  const auto expected =
      at::real(ops::random_projection_reference(q, opu_rows, 5, ops::Entries::complex_normal, 0)) *
      std::numbers::sqrt2;
  expect_close(Opu(options(OpuModel::ideal)).project(q), expected.contiguous(), 2e-6);
}

TEST(OpuTest, NoiseIsAsLoudAsItSays) {
  at::manual_seed(2);
  const auto q = opu_input(8);
  const auto ideal = Opu(options(OpuModel::ideal)).project(q);
  for (const double sigma : {0.1, 0.5}) {
    const auto noise = Opu(options(OpuModel::noisy).sigma(sigma)).project(q) - ideal;
    const auto relative = noise / q.to(at::kFloat).abs().sum(1, true).sqrt();
    EXPECT_NEAR(relative.std().item<double>(), sigma, 0.03 * sigma);
    EXPECT_LT(std::abs(relative.mean().item<double>()), 0.03 * sigma);
  }
  expect_close(Opu(options(OpuModel::noisy).sigma(0)).project(q), ideal, 0);
}

TEST(OpuTest, HolographyFindsTheField) {
  at::manual_seed(3);
  const auto q = opu_input(4);
  const auto ideal = Opu(options(OpuModel::ideal)).project(q);
  auto bright = options(OpuModel::camera).photons(1e8).bits(16).saturation(30);
  EXPECT_GT(cosine(Opu(bright).project(q), ideal), 0.9999);
  // More photons, less shot noise.
  double before = 0;
  for (const double photons : {3.0, 30.0, 1000.0, 1e5}) {
    const double found = cosine(Opu(OpuOptions(bright).photons(photons)).project(q), ideal);
    EXPECT_GT(found, before) << photons;
    before = found;
  }
  EXPECT_GT(cosine(Opu(options(OpuModel::camera)).project(q), ideal), 0.99);
  // Fewer levels, and a camera that saturates.
  EXPECT_LT(cosine(Opu(OpuOptions(bright).bits(2)).project(q), ideal), 0.99);
  EXPECT_LT(cosine(Opu(OpuOptions(bright).saturation(1)).project(q), ideal), 0.99);
}

// |E - R|^2 to |E + R|^2 have the variance of photon counts, kappa I.
TEST(OpuTest, ShotNoiseIsThatOfPhotons) {
  at::manual_seed(4);
  auto q = at::zeros({1, opu_columns}, at::kChar);
  q.narrow(1, 0, 20).fill_(1);
  const double photons = 200;
  const auto chosen = options(OpuModel::camera).photons(photons).bits(0).saturation(1000);
  Opu opu(chosen);
  const auto ideal = Opu(options(OpuModel::ideal)).project(q);
  const double variance = (opu.project(q) - ideal).square().mean().item<double>();
  // Re E = (I_0 - I_pi) / 4 R with R^2 = n: variance (mean I_0 + mean I_pi) n 2 / photons / 16 n = n / 4
  // photons each of two exposures' mean 2 n; s = sqrt(2) Re E.
  const double n = 20, mean = 2 * n;
  const double expected = 2 * (2 * mean * mean / photons) / (16 * n);
  EXPECT_NEAR(variance / expected, 1, 0.1);
}

TEST(OpuTest, SpeckleIntensitiesAreExponential) {
  auto q = at::zeros({3, 400}, at::kChar);
  q.narrow(1, 0, 200).fill_(1);
  const auto intensity = Opu(OpuOptions(20000, 400)).speckle(q);
  EXPECT_NEAR(intensity.mean().item<double>(), 1, 0.02);
  EXPECT_NEAR(intensity.var().item<double>(), 1, 0.05);
  EXPECT_NEAR(intensity.gt(2).to(at::kDouble).mean().item<double>(), std::exp(-2), 0.01);
}

TEST(OpuTest, ADarkModulatorIsDark) {
  for (const auto model : {OpuModel::ideal, OpuModel::noisy, OpuModel::camera}) {
    const auto s = Opu(options(model)).project(at::zeros({2, opu_columns}, at::kChar));
    EXPECT_EQ(s.abs().max().item<double>(), 0);
  }
}

TEST(OpuTest, NoiseContinuesFromItsState) {
  at::manual_seed(5);
  const auto q = opu_input(3);
  const int threads = at::get_num_threads();
  for (const auto model : {OpuModel::noisy, OpuModel::camera}) {
    Opu one(options(model)), other(options(model));
    const auto first = one.project(q);
    const auto state = one.state();
    const auto second = one.project(q);
    EXPECT_FALSE(at::equal(first, second));
    EXPECT_TRUE(at::equal(other.project(q), first));
    Opu resumed(options(model));
    resumed.load_state(state);
    at::set_num_threads(1);
    EXPECT_TRUE(at::equal(resumed.project(q), second));
    at::set_num_threads(threads);
  }
  Opu opu(options(OpuModel::noisy));
  EXPECT_THROW(opu.load_state({}), c10::ValueError);
  EXPECT_THROW(opu.load_state({{"exposures", at::ones({2})}}), c10::ValueError);
  for (const int64_t wrong : {int64_t{-5}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_THROW(opu.load_state({{"exposures", at::scalar_tensor(wrong, at::kLong)}}), c10::ValueError);
  }
  EXPECT_EQ(opu.state().at("exposures").item<int64_t>(), 0);
}

// Samples beyond the first 256 have noise that no neighbouring seed has.
TEST(OpuTest, SeedsShareNoNoise) {
  const auto q = at::ones({600, opu_columns}, at::kChar);
  const auto noise_of = [&q](int64_t seed) {
    const auto of = OpuOptions(opu_rows, opu_columns).seed(seed);
    return Opu(OpuOptions(of).sigma(1)).project(q) - Opu(OpuOptions(of).model(OpuModel::ideal)).project(q);
  };
  std::vector<at::Tensor> blocks;
  for (int64_t seed = 0; seed < 4; ++seed) {
    const auto noise = noise_of(seed);
    blocks.push_back(noise.slice(0, 0, 80).flatten());
    blocks.push_back(noise.slice(0, 256, 336).flatten());
    blocks.push_back(noise.slice(0, 512, 592).flatten());
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_LT(std::abs(at::cosine_similarity(blocks[i], blocks[j], 0).item<double>()), 0.1)
          << i << " " << j;
    }
  }
}

TEST(OpuTest, RejectsWrongInput) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Opu opu(options(OpuModel::noisy));
  EXPECT_THROW(opu.project(at::randn({2, opu_columns})), c10::ValueError);
  for (const auto model : {OpuModel::ideal, OpuModel::noisy, OpuModel::camera}) {
    Opu of_model(options(model));
    EXPECT_THROW(of_model.project(at::full({2, opu_columns}, 2, at::kChar)), c10::ValueError);
    EXPECT_EQ(of_model.state().at("exposures").item<int64_t>(), 0) << "what is rejected was not shown";
  }
  for (const auto& wrong :
       {at::ones({2, opu_columns - 1}, at::kChar), at::zeros({2, opu_columns}, at::kChar),
        at::full({2, opu_columns}, -1, at::kChar), at::full({2, opu_columns}, 2, at::kChar),
        at::ones({2, opu_columns}), at::Tensor()}) {
    EXPECT_SAYS(opu.speckle(wrong), "Opu: binary");
  }
  for (const auto& wrong :
       {options(OpuModel::noisy).sigma(-1), options(OpuModel::noisy).sigma(nan),
        options(OpuModel::camera).photons(0), options(OpuModel::camera).bits(17),
        options(OpuModel::camera).bits(-1), options(OpuModel::camera).reference(0),
        options(OpuModel::camera).saturation(0.5), OpuOptions(0, 4), OpuOptions(4, int64_t{1} << 40)}) {
    EXPECT_THROW(Opu{wrong}, c10::ValueError);
  }
}

}  // namespace
}  // namespace optotorch
