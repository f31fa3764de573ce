#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/aperture.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/non_finite.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/serialization/import.h>

#include <numbers>

namespace optotorch {
namespace {

using testing::expect_close;
using testing::infinity;
using testing::nan;

ApertureOptions rectangle(std::vector<int64_t> window, std::vector<double> size) {
  return ApertureOptions(std::move(window), std::move(size)).shape(ApertureShape::rectangle).spacing(1e-5);
}

ApertureOptions circle(std::vector<int64_t> window, std::vector<double> size) {
  return ApertureOptions(std::move(window), std::move(size)).spacing(1e-5);
}

/// What an aperture makes of light of 1.
torch::Tensor open(const ApertureOptions& options) {
  Aperture aperture(options);
  const auto light = torch::ones({1, 1, options.window()[0], options.window()[1]}, torch::kComplexDouble);
  const auto y = aperture->propagate(light).output;
  EXPECT_EQ(at::imag(y).abs().max().item<double>(), 0);
  return at::real(y)[0][0];
}

TEST(ApertureTest, ARectangleCountsAreasExactly) {
  // 2.5 rows of 4, 1.2 columns of 3.
  const auto down = torch::tensor({.25, 1., 1., .25}, torch::kDouble).unsqueeze(1);
  const auto right = torch::tensor({.1, 1., .1}, torch::kDouble);
  expect_close(open(rectangle({4, 3}, {2.5e-5, 1.2e-5})), down * right, 1e-12);
  // Half a sample lower, and a tenth to the left.
  const auto lower = torch::tensor({0., .75, 1., .75}, torch::kDouble).unsqueeze(1);
  const auto left = torch::tensor({.2, 1., 0.}, torch::kDouble);
  expect_close(open(rectangle({4, 3}, {2.5e-5, 1.2e-5}).center({5e-6, -1e-6})), lower * left, 1e-12);
  // Less than a sample, whole, and beside the window.
  expect_close(open(rectangle({3, 3}, {5e-6, 5e-6})).sum(), torch::tensor(.25, torch::kDouble), 1e-12);
  EXPECT_TRUE(open(rectangle({4, 3}, {1, 1})).equal(torch::ones({4, 3}, torch::kDouble)));
  EXPECT_TRUE(
      open(rectangle({4, 3}, {1e-5, 1e-5}).center({0, 4e-5})).equal(torch::zeros({4, 3}, torch::kDouble)));
}

TEST(ApertureTest, AnEllipseCountsPlacesOfEverySample) {
  const auto options = circle({7, 9}, {4.3e-5, 6.1e-5}).center({3e-6, -8e-6});
  auto expected = torch::zeros({7, 9}, torch::kDouble);
  for (const auto i : c10::irange(7 * 8)) {
    for (const auto j : c10::irange(9 * 8)) {
      const double y = (i + .5) * 1e-5 / 8 - 3.5e-5 - 3e-6, x = (j + .5) * 1e-5 / 8 - 4.5e-5 + 8e-6;
      if (y * y / (2.15e-5 * 2.15e-5) + x * x / (3.05e-5 * 3.05e-5) <= 1) {
        expected[i / 8][j / 8] += 1. / 64;
      }
    }
  }
  expect_close(open(options), expected, 1e-12);
}

TEST(ApertureTest, AnEllipseHasItsArea) {
  const auto t = open(circle({64, 64}, {5e-4, 3e-4}));
  EXPECT_NEAR(t.sum().item<double>(), std::numbers::pi / 4 * 50 * 30, .002 * 50 * 30);
  EXPECT_TRUE(t.equal(t.flip({0}))) << "it stands in the middle";
  EXPECT_TRUE(t.equal(t.flip({1})));
  EXPECT_EQ(t[32][32].item<double>(), 1);
  EXPECT_EQ(t[0][32].item<double>(), 0);
  EXPECT_EQ(open(circle({3, 3}, {1, 1})).sum().item<double>(), 9);
}

TEST(ApertureTest, PullbackIsTheDerivative) {
  for (const auto& options : {circle({3, 4}, {2.3e-5, 3e-5}), rectangle({3, 4}, {2.3e-5, 3e-5})}) {
    torch::manual_seed(2);
    Aperture aperture(options);
    const auto x = torch::randn({2, 2, 3, 4}, torch::kComplexDouble), w = torch::randn_like(x);
    const auto loss = [&] { return at::real(w.conj() * aperture->propagate(x).output).sum().item<double>(); };
    expect_close(aperture->pullback(aperture->propagate(x), w), testing::central_differences(loss, x), 1e-9);
    EXPECT_FALSE(aperture->pullback(aperture->propagate(x), w, /*to_input=*/false).defined());
    const auto single = aperture->propagate(x.to(torch::kComplexFloat)).output;
    EXPECT_EQ(single.scalar_type(), torch::kComplexFloat);
    expect_close(single.to(torch::kComplexDouble), aperture->propagate(x).output, 1e-6);
    const auto none = aperture->propagate(x.narrow(0, 0, 0));
    EXPECT_EQ(none.output.sizes(), at::IntArrayRef({0, 2, 3, 4}));
    EXPECT_EQ(aperture->pullback(none, none.output).sizes(), at::IntArrayRef({0, 2, 3, 4}));
  }
}

TEST(ApertureTest, ExportsAsItIs) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/aperture.pt";
  Hybrid net;
  net->push_back(Aperture(circle({3, 4}, {2.3e-5, 3e-5})));
  for (const auto type : {torch::kComplexDouble, torch::kComplexFloat}) {
    const auto x = torch::randn({3, 2, 3, 4}, type);
    net->train();
    const auto expected = net->forward(x);
    net->eval();
    EXPECT_TRUE(net->forward(x).equal(expected));
    export_torchscript(net, x.narrow(0, 0, 2), path);
    auto file = torch::jit::load(path);
    EXPECT_TRUE(file.forward({x}).toTensor().equal(expected));
    EXPECT_TRUE(file.forward({x.narrow(1, 0, 1)}).toTensor().equal(expected.narrow(1, 0, 1)));
    EXPECT_ANY_THROW(file.forward({x.narrow(3, 0, 1)})) << "would be spread over the columns";
  }
}

TEST(ApertureTest, WrongInput) {
  for (const double wrong : {0., -1e-6, nan, infinity}) {
    EXPECT_SAYS(Aperture(circle({3, 4}, {1e-5, wrong})), "Aperture: size: expected more than 0 m, finite");
    EXPECT_SAYS(Aperture(rectangle({3, 4}, {wrong, 1e-5})), "Aperture: size: expected more than 0 m, finite");
    EXPECT_SAYS(Aperture(circle({3, 4}, {1e-5, 1e-5}).spacing(wrong)),
                "Aperture: spacing: expected more than");
  }
  EXPECT_SAYS(Aperture(circle({3, 4}, {1e-5})), "Aperture: size: expected height and width, got 1 numbers");
  EXPECT_SAYS(Aperture(circle({3, 4}, {1, 1}).center({nan, 0})), "Aperture: center: expected two finite");
  EXPECT_SAYS(Aperture(circle({3, 4, 5}, {1, 1})), "Aperture: window");
  Aperture aperture(circle({3, 4}, {1e-5, 1e-5}));
  const auto x = torch::zeros({2, 1, 3, 4}, torch::kComplexFloat);
  EXPECT_SAYS(aperture->propagate(x.narrow(2, 0, 1)),
              "Aperture: input: expected a complex field [batch, planes, 3, 4]");
  EXPECT_SAYS(aperture->propagate(x[0]), "Aperture: input");
  EXPECT_SAYS(aperture->propagate(at::real(x)), "Aperture: input");
}

}  // namespace
}  // namespace optotorch
