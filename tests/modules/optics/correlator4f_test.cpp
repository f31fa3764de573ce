#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/freeze.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/correlator4f.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/serialization/import.h>

#include <limits>
#include <numbers>

namespace optotorch {
namespace {

using testing::expect_close;

Correlator4f make_correlator(const Correlator4fOptions& options) {
  torch::manual_seed(8);
  Correlator4f layer(options);
  layer->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : layer->parameters()) {
    parameter.copy_(torch::randn_like(parameter) * 2);
  }
  return layer;
}

torch::Tensor random_field(at::IntArrayRef sizes) {
  return torch::randn(sizes, torch::kComplexDouble);
}

/// ifft2(T) by the sum that it stands for.
torch::Tensor kernel_of(const torch::Tensor& transfer) {
  const int64_t rows = transfer.size(0), columns = transfer.size(1);
  const auto wave = [](int64_t n) {
    const auto f = torch::arange(n, torch::kDouble);
    const auto phase = f.unsqueeze(1) * f * (2 * std::numbers::pi / static_cast<double>(n));
    return at::complex(phase.cos(), phase.sin());
  };
  return at::matmul(at::matmul(wave(rows), transfer), wave(columns)) / static_cast<double>(rows * columns);
}

TEST(Correlator4fTest, ConvolvesAsWrittenOut) {
  for (const int64_t padding : {1, 2}) {
    const int64_t rows = 3, columns = 4, high = rows * padding, wide = columns * padding;
    auto layer =
        make_correlator(Correlator4fOptions({rows, columns}).padding(padding).modulation(Modulation::both));
    const auto phase = layer->phase.detach(), a = 1 / (1 + (-layer->amplitude.detach()).exp());
    ASSERT_EQ(phase.sizes(), at::IntArrayRef({high, wide}));
    const auto kernel = kernel_of(a * at::complex(phase.cos(), phase.sin()));
    const auto x = random_field({2, 2, rows, columns});
    auto expected = torch::zeros_like(x);
    for (const auto i : c10::irange(rows)) {
      for (const auto j : c10::irange(columns)) {
        for (const auto k : c10::irange(rows)) {
          for (const auto l : c10::irange(columns)) {
            expected.select(2, i).select(2, j) +=
                x.select(2, k).select(2, l) * kernel[(i - k + high) % high][(j - l + wide) % wide];
          }
        }
      }
    }
    expect_close(layer->propagate(x).output, expected, 1e-13);
  }
}

TEST(Correlator4fTest, ALinearPhaseShiftsTheField) {
  for (const int64_t padding : {1, 2}) {
    auto layer = make_correlator(Correlator4fOptions({4, 6}).padding(padding));
    const auto f = torch::arange(4 * padding, torch::kDouble) * (2 * std::numbers::pi / (4. * padding));
    layer->phase.detach().copy_((-f).unsqueeze(1).expand_as(layer->phase));
    const auto x = random_field({1, 1, 4, 6});
    auto expected = at::roll(x, 1, 2);
    if (padding == 2) {
      expected.select(2, 0).zero_();  // what has left the window is lost
    }
    expect_close(layer->propagate(x).output, expected, 1e-13);
  }
}

TEST(Correlator4fTest, Starts) {
  const auto x = torch::randn({2, 1, 3, 4}, torch::kComplexFloat);
  Correlator4f glass(Correlator4fOptions({3, 4}).start(PhaseStart::zero));
  expect_close(glass->propagate(x).output, x, 1e-6);
  EXPECT_EQ(glass->named_parameters().keys(), std::vector<std::string>{"phase"});
  Correlator4f both(Correlator4fOptions({30, 40}).modulation(Modulation::both));
  EXPECT_EQ(both->phase.sizes(), at::IntArrayRef({60, 80}));
  EXPECT_GE(both->phase.min().item<double>(), 0);
  EXPECT_LT(both->phase.max().item<double>(), 2 * std::numbers::pi);
  EXPECT_NEAR(both->phase.mean().item<double>(), std::numbers::pi, .15);
  EXPECT_TRUE(both->amplitude.equal(torch::full({60, 80}, 2.f)));
  Correlator4f grey(Correlator4fOptions({3, 4}).modulation(Modulation::amplitude));
  EXPECT_EQ(grey->named_parameters().keys(), std::vector<std::string>{"amplitude"});
  expect_close(grey->propagate(x).output, x / (1 + std::exp(-2.)), 1e-6);
  EXPECT_EQ(both->footprint(), (Footprint{{"pixels", 4800}, {"lenses", 2}}));
}

TEST(Correlator4fTest, PullbackIsTheDerivative) {
  for (const int64_t padding : {1, 2}) {
    for (const auto modulation : {Modulation::phase, Modulation::amplitude, Modulation::both}) {
      auto layer = make_correlator(Correlator4fOptions({3, 2}).padding(padding).modulation(modulation));
      const auto x = random_field({2, 2, 3, 2}), w = torch::randn_like(x);
      const auto loss = [&] { return at::real(w.conj() * layer->propagate(x).output).sum().item<double>(); };
      const auto dL_dx = layer->pullback(layer->propagate(x), w);
      expect_close(dL_dx, testing::central_differences(loss, x), 1e-9, "input");
      for (const auto& item : layer->named_parameters()) {
        expect_close(item.value().grad(), testing::central_differences(loss, item.value().detach()), 1e-9,
                     item.key());
      }
    }
  }
}

TEST(Correlator4fTest, AnEmptyBatchTeachesNothing) {
  auto layer = make_correlator(Correlator4fOptions({3, 2}).modulation(Modulation::both));
  const auto pass = layer->propagate(random_field({0, 2, 3, 2}));
  EXPECT_EQ(layer->pullback(pass, pass.output).sizes(), at::IntArrayRef({0, 2, 3, 2}));
  for (const auto& parameter : layer->parameters()) {
    EXPECT_TRUE(parameter.grad().equal(torch::zeros_like(parameter)));
  }
}

TEST(Correlator4fTest, ExportsAsItIs) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/correlator.pt";
  for (const int64_t padding : {1, 2}) {
    Hybrid net;
    net->push_back(
        make_correlator(Correlator4fOptions({3, 4}).padding(padding).modulation(Modulation::both)));
    const auto x = random_field({3, 2, 3, 4});
    net->train();
    const auto expected = net->forward(x);
    net->eval();
    expect_close(net->forward(x), expected, 1e-14);
    export_torchscript(net, x.narrow(0, 0, 2), path);
    auto file = torch::jit::load(path);
    expect_close(file.forward({x}).toTensor(), expected, 1e-14);
    expect_close(file.forward({x.narrow(1, 0, 1)}).toTensor(), expected.narrow(1, 0, 1), 1e-14);
    EXPECT_ANY_THROW(file.forward({x.narrow(2, 0, 2)})) << "a smaller window";
    EXPECT_ANY_THROW(file.forward({at::cat({x, x}, 3)})) << "a larger one";
  }
}

TEST(Correlator4fTest, WrongInput) {
  for (const int64_t padding : {0, -1, 3}) {
    EXPECT_SAYS(Correlator4f(Correlator4fOptions({3, 4}).padding(padding)),
                "Correlator4f: padding: expected 1 or 2, got");
  }
  EXPECT_SAYS(Correlator4f(Correlator4fOptions(std::vector<int64_t>{3})), "Correlator4f: window");
  EXPECT_SAYS(Correlator4f(Correlator4fOptions({3, 0})), "Correlator4f: window");
  auto layer = make_correlator(Correlator4fOptions({3, 4}));
  const auto x = random_field({2, 1, 3, 4});
  EXPECT_SAYS(layer->propagate(x.narrow(3, 0, 3)), "Correlator4f: input: expected a complex field");
  EXPECT_SAYS(layer->propagate(random_field({2, 1, 6, 8})), "Correlator4f: input");
  EXPECT_SAYS(layer->propagate(x[0]), "Correlator4f: input");
  EXPECT_SAYS(layer->propagate(at::real(x)), "Correlator4f: input");
  EXPECT_SAYS(layer->propagate(x.to(torch::kComplexFloat)), "Correlator4f: input");
  layer->phase.detach()[1][2] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_SAYS(layer->propagate(x), "Correlator4f: phase");
}

}  // namespace
}  // namespace optotorch
