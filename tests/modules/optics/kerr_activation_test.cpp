#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/kerr_activation.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/saturable_absorber.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cmath>
#include <complex>
#include <limits>

namespace optotorch {
namespace {

using testing::expect_close;

torch::Tensor kerr_field(at::IntArrayRef sizes) {
  torch::manual_seed(6);
  return torch::randn(sizes, torch::kComplexDouble);
}

TEST(KerrActivationTest, IsItsFormula) {
  for (const double gamma : {.7, -2., 0.}) {
    KerrActivation kerr(KerrActivationOptions().gamma(gamma));
    for (const auto& x : {kerr_field({3, 5}), kerr_field({2, 1, 3, 4}), kerr_field({4})}) {
      const auto y = kerr->propagate(x).output;
      ASSERT_EQ(y.sizes(), x.sizes());
      const auto from = x.flatten(), to = y.flatten();
      for (int64_t n = 0; n < from.numel(); ++n) {
        const auto z = static_cast<std::complex<double>>(from[n].item<c10::complex<double>>());
        const auto expected = z * std::exp(std::complex<double>(0, gamma * std::norm(z)));
        const auto got = static_cast<std::complex<double>>(to[n].item<c10::complex<double>>());
        EXPECT_LE(std::abs(got - expected), 1e-14 * std::abs(z));
      }
    }
  }
}

TEST(KerrActivationTest, KeepsThePowerOfEveryElement) {
  const auto x = kerr_field({3, 2, 4, 4}) * 5;
  const auto y = KerrActivation(KerrActivationOptions().gamma(3))->propagate(x).output;
  expect_close(y.abs(), x.abs(), 1e-14);
  EXPECT_GT((y - x).abs().max().item<double>(), 1);
}

TEST(KerrActivationTest, PullbackIsTheDerivative) {
  for (const double gamma : {.7, -2., 0.}) {
    KerrActivation kerr(KerrActivationOptions().gamma(gamma));
    const auto x = kerr_field({2, 1, 3, 2}), w = torch::randn_like(x);
    const auto loss = [&] { return at::real(w.conj() * kerr->propagate(x).output).sum().item<double>(); };
    expect_close(kerr->pullback(kerr->propagate(x), w), testing::central_differences(loss, x), 1e-9);
    EXPECT_FALSE(kerr->pullback(kerr->propagate(x), w, /*to_input=*/false).defined());
    const auto dark = kerr->propagate(torch::zeros_like(x));
    EXPECT_TRUE(dark.output.equal(torch::zeros_like(x)));
    EXPECT_TRUE(kerr->pullback(dark, w).equal(w)) << "darkness passes as through glass";
  }
}

TEST(KerrActivationTest, ExportsAsItIs) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/kerr.pt";
  Hybrid net;
  net->push_back(KerrActivation(KerrActivationOptions().gamma(.7)));
  const auto x = kerr_field({3, 2, 3, 4});
  net->train();
  const auto expected = net->forward(x);
  net->eval();
  expect_close(net->forward(x), expected, 1e-15);
  export_torchscript(net, x.narrow(0, 0, 2), path);
  auto file = torch::jit::load(path);
  expect_close(file.forward({x}).toTensor(), expected, 1e-15);
  expect_close(file.forward({x.narrow(3, 0, 1)}).toTensor(), expected.narrow(3, 0, 1), 1e-15);
}

TEST(KerrActivationTest, WrongInput) {
  for (const double gamma :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_SAYS(KerrActivation(KerrActivationOptions().gamma(gamma)),
                "KerrActivation: gamma: expected a finite number");
  }
  KerrActivation kerr;
  EXPECT_SAYS(kerr->propagate(torch::zeros({2, 3})), "KerrActivation: input");
  EXPECT_SAYS(kerr->propagate(torch::Tensor()), "KerrActivation: input");
}

TEST(KerrActivationTest, AsOfAllNonlinearitiesOptionsAreFinite) {
  for (const double bad : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_SAYS(ElectroOpticActivation(ElectroOpticActivationOptions().gain(bad)),
                "ElectroOpticActivation: gain");
    EXPECT_SAYS(ElectroOpticActivation(ElectroOpticActivationOptions().bias(bad)),
                "ElectroOpticActivation: gain");
    EXPECT_SAYS(SaturableAbsorber(SaturableAbsorberOptions().depth(bad)), "SaturableAbsorber: depth");
    EXPECT_SAYS(SaturableAbsorber(SaturableAbsorberOptions().saturation(bad)), "SaturableAbsorber: depth");
    EXPECT_SAYS(Photodetector(PhotodetectorOptions().shot_noise(bad)), "Photodetector: shot_noise");
    EXPECT_SAYS(Photodetector(PhotodetectorOptions().thermal_noise(bad)), "Photodetector: shot_noise");
  }
}

}  // namespace
}  // namespace optotorch
