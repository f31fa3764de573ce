#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/fine_planes.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <support/differences.h>
#include <support/errors.h>

#include <memory>
#include <vector>

namespace optotorch {
namespace {

constexpr int64_t side = 24;

std::shared_ptr<DiffractiveLayerImpl> plane(PhaseStart start = PhaseStart::zero) {
  const auto hop = HopOptions().distance(10e-3);
  return DiffractiveLayer(DiffractiveLayerOptions({side, side}).hop(hop).start(start)).ptr();
}

/// Light that a pixel's samples carry well.
torch::Tensor smooth_light(int64_t batch) {
  const auto f = at::fft_fftfreq(side, 1.0, at::dtype(at::kDouble));
  const auto low = ((f.square().unsqueeze(1) + f.square()) < .01).to(at::kComplexDouble);
  const auto place = at::arange(side, at::dtype(at::kDouble)) - (side - 1) / 2.0;
  const auto window = (-place.square() / 40).exp();
  return at::fft_ifft2(at::fft_fft2(at::randn({batch, 1, side, side}, at::kComplexDouble)) * low) *
         at::outer(window, window);
}

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  const auto one = a / a.sum(), other = b / b.sum();
  return ((one - other).norm() / other.norm()).item<double>();
}

std::vector<torch::Tensor> readings(PhysicalSystem& system,
                                    const std::vector<std::shared_ptr<DiffractiveLayerImpl>>& planes,
                                    const torch::Tensor& x) {
  std::vector<Values> commands;
  for (const auto& one : planes) {
    commands.push_back(one->commands());
  }
  system.set_commands(commands);
  return system.measure(x).behind;
}

const auto perfect =
    FinePlanesOptions().crosstalk(0).reflection(0).vignetting(0).fill_factor(1).monitors(true);

TEST(FinePlanesTest, SmoothLightThroughGlassIsAsInTheModel) {
  torch::manual_seed(1);
  const std::vector<std::shared_ptr<DiffractiveLayerImpl>> planes{plane(), plane()};
  const auto x = smooth_light(2);
  for (const int64_t oversampling : {2, 3}) {
    FinePlanes fine({planes[0], planes[1]}, Imperfections(), 1,
                    FinePlanesOptions(perfect).oversampling(oversampling));
    SimulatedSystem model({built(*planes[0], Imperfections(), 1), built(*planes[1], Imperfections(), 2)},
                          SimulatedSystemOptions().monitors(true));
    const auto seen = readings(fine, planes, x), expected = readings(model, planes, x);
    for (const size_t n : {0, 1}) {
      EXPECT_LT(difference(seen[n], expected[n]), .05) << n;
    }
  }
}

TEST(FinePlanesTest, AModelOfSeveralSamplesAPixelSeesItsSquares) {
  torch::manual_seed(6);
  const auto phases = torch::rand({side, side}) * 6.28;
  const auto distance = [&](int64_t samples, int64_t fine_samples) {
    const auto hop = HopOptions().distance(10e-3);
    std::vector<std::shared_ptr<DiffractiveLayerImpl>> planes;
    for (const int64_t n : {0, 1}) {
      planes.push_back(
          DiffractiveLayer(
              DiffractiveLayerOptions({side, side}).hop(hop).oversampling(samples).fill_factor(.9))
              .ptr());
      const torch::NoGradGuard no_grad;
      planes.back()->phase.copy_(phases.roll(n, 0));
    }
    torch::manual_seed(7);
    const auto x =
        at::repeat_interleave(at::repeat_interleave(smooth_light(1), samples, std::optional<int64_t>(2)),
                              samples, std::optional<int64_t>(3));
    FinePlanes fine({planes[0], planes[1]}, Imperfections(), 1,
                    FinePlanesOptions(perfect).fill_factor(.9).oversampling(fine_samples));
    SimulatedSystem model({built(*planes[0], Imperfections(), 1), built(*planes[1], Imperfections(), 2)});
    return difference(readings(fine, planes, x).back(), readings(model, planes, x).back());
  };
  const double one = distance(1, 4), two = distance(2, 4);
  EXPECT_GT(one, .2);
  EXPECT_LT(two, one / 2);
}

TEST(FinePlanesTest, AnOffsetIsTheSameAsInTheModel) {
  torch::manual_seed(2);
  const auto lens = plane();
  {
    const torch::NoGradGuard no_grad;
    const auto place = torch::arange(side) - (side - 1) / 2.0;
    lens->phase.copy_((place.square().unsqueeze(1) + place.square()) * -.03);
  }
  const auto x = smooth_light(1);
  const auto errors = Imperfections().offset_error(1.5).distance_error(.1).gain_error(.1);
  FinePlanes fine({lens}, errors, 5, perfect), still({lens}, Imperfections(), 5, perfect);
  SimulatedSystem model(std::vector<std::shared_ptr<BuiltStage>>{built(*lens, errors, 5)});
  const auto expected = readings(model, {lens}, x)[0];
  EXPECT_LT(difference(readings(fine, {lens}, x)[0], expected), .08);
  EXPECT_GT(difference(readings(still, {lens}, x)[0], expected), .1);
}

TEST(FinePlanesTest, EveryErrorOfItsOwnChangesTheLight) {
  torch::manual_seed(3);
  const auto random = plane(PhaseStart::uniform);
  const auto x = smooth_light(1);
  FinePlanes base({random}, Imperfections(), 1, perfect);
  const auto without = readings(base, {random}, x)[0];
  for (const auto& options :
       {FinePlanesOptions(perfect).crosstalk(.05), FinePlanesOptions(perfect).reflection(.05),
        FinePlanesOptions(perfect).vignetting(.5), FinePlanesOptions(perfect).fill_factor(.7)}) {
    FinePlanes other({random}, Imperfections(), 1, options);
    EXPECT_GT(difference(readings(other, {random}, x)[0], without), 1e-3);
  }
  FinePlanes again({random}, Imperfections().offset_error(.5), 1, perfect),
      same({random}, Imperfections().offset_error(.5), 1, perfect);
  EXPECT_TRUE(readings(again, {random}, x)[0].equal(readings(same, {random}, x)[0]));
}

void check_slopes(int64_t samples) {
  torch::manual_seed(4);
  const std::vector<int64_t> pixels = samples == 1 ? std::vector<int64_t>{5, 6} : std::vector<int64_t>{2, 3};
  const int64_t rows = pixels[0] * samples, columns = pixels[1] * samples;
  const auto small = [&](Modulation modulation) {
    auto layer = DiffractiveLayer(DiffractiveLayerOptions(pixels)
                                      .oversampling(samples)
                                      .hop(HopOptions().distance(1e-3))
                                      .modulation(modulation)
                                      .start(PhaseStart::uniform))
                     .ptr();
    layer->to(torch::kFloat64);
    return layer;
  };
  const auto first = small(Modulation::phase), second = small(Modulation::both);
  const auto errors = Imperfections()
                          .offset_error(.3)
                          .rotation_error(.1)
                          .distance_error(.05)
                          .gain_error(.1)
                          .curve_error(.1)
                          .aberration(.3)
                          .amplitude_coupling(.2);
  FinePlanes fine({first, second}, errors, 7, FinePlanesOptions().reflection(.05).oversampling(3 * samples));
  auto x = torch::randn({2, 1, rows, columns}, torch::kComplexDouble);
  const auto g = torch::randn({2, 1, rows, columns}, torch::kFloat64);
  EXPECT_SAYS(fine.pullback(x, g), "commands that were set");
  std::vector<Values> commands;
  for (const auto& layer : {first, second}) {
    commands.push_back(layer->commands());
    for (auto& [name, value] : commands.back()) {
      value = value.clone();
    }
  }
  const auto loss = [&] {
    fine.set_commands(commands);
    return (g * fine.measure(x).output()).sum().item<double>();
  };
  loss();
  const auto slopes = fine.pullback(x, g);
  testing::expect_close(slopes.dL_dx, testing::central_differences(loss, x), 1e-8, "x");
  for (size_t n = 0; n < commands.size(); ++n) {
    EXPECT_EQ(slopes.commands.at(n).size(), commands[n].size());
    for (auto& [name, value] : commands[n]) {
      testing::expect_close(slopes.commands[n].at(name), testing::central_differences(loss, value), 1e-8,
                            name);
    }
  }
  EXPECT_SAYS(fine.pullback(x, g[0]), c10::str("dL_dreading: expected [2, 1, ", rows, ", ", columns, "]"));
  EXPECT_SAYS(fine.pullback(torch::real(x), g), "x: expected a complex64 or complex128 field");
}

TEST(FinePlanesTest, ItsSlopesAreCentralDifferences) {
  check_slopes(1);
  check_slopes(2);
}

TEST(FinePlanesTest, WrongInput) {
  const auto good = plane();
  EXPECT_SAYS(FinePlanes({good}, Imperfections(), 1, FinePlanesOptions().oversampling(1)),
              "oversampling: expected 2 to 8");
  EXPECT_SAYS(FinePlanes({good}, Imperfections(), 1, FinePlanesOptions().fill_factor(0)), "fill_factor");
  EXPECT_SAYS(FinePlanes({good}, Imperfections(), 1, FinePlanesOptions().crosstalk(.5)), "crosstalk");
  EXPECT_SAYS(FinePlanes({good}, Imperfections(), 1, FinePlanesOptions().reflection(-1)), "reflection");
  EXPECT_SAYS(FinePlanes({good}, Imperfections(), 1, FinePlanesOptions().vignetting(2)), "vignetting");
  EXPECT_SAYS(FinePlanes({good}, Imperfections().offset_error(-1), 1), "offset_error");
  EXPECT_SAYS(FinePlanes({}, Imperfections(), 1), "PhysicalSystem");
  const auto two =
      DiffractiveLayer(DiffractiveLayerOptions({8, 8}).hop(HopOptions().wavelengths({5e-7, 6e-7}))).ptr();
  EXPECT_SAYS(FinePlanes({two}, Imperfections(), 1), "planes of one wavelength");
  const auto twice = DiffractiveLayer(DiffractiveLayerOptions({side / 2, side / 2}).oversampling(2)).ptr();
  EXPECT_SAYS(FinePlanes({twice}, Imperfections(), 1), "twice or more times the planes' own, 2");
  EXPECT_SAYS(FinePlanes({good, twice}, Imperfections(), 1), "as many samples a pixel as the first");
}

}  // namespace
}  // namespace optotorch
