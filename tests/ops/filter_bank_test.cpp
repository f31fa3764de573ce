#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/filter_bank.h>
#include <support/differences.h>
#include <support/mesh_cases.h>
#include <torch/csrc/autograd/autograd.h>

#include <complex>
#include <numbers>
#include <vector>

namespace optotorch {
namespace {

using ops::FilterBankLayout;
using testing::central_differences;
using testing::expect_close;

at::Tensor bank(int64_t filters) {
  const auto p =
      at::polar(at::rand({filters}, at::kDouble) * 0.5 + 0.45, at::rand({filters}, at::kDouble) * 6);
  return at::stack(
      {at::randn({filters}, at::kComplexDouble) * 0.3, at::randn({filters}, at::kComplexDouble) * 0.3, p}, 1);
}

/// The recursion as it is written, one number after the other.
at::Tensor slow_readings(const at::Tensor& waveform, const at::Tensor& coefficients,
                         const FilterBankLayout& o) {
  const int64_t windows = waveform.size(1) / o.window, count = windows * o.window;
  auto y = at::zeros({waveform.size(0), coefficients.size(0), windows}, at::kDouble);
  for (int64_t s = 0; s < waveform.size(0); ++s) {
    for (int64_t k = 0; k < coefficients.size(0); ++k) {
      const auto number = [](const at::Tensor& z) {
        return std::complex<double>(z.item<c10::complex<double>>());
      };
      const auto a = number(coefficients[k][0]), b = number(coefficients[k][1]),
                 p = number(coefficients[k][2]);
      std::vector<std::complex<double>> u;
      for (int64_t n = 0; n < count; ++n) {
        u.push_back(number(waveform[s][n]));
      }
      for (int64_t section = 0; section < o.order; ++section) {
        auto v = u;
        for (size_t n = 0; n < u.size(); ++n) {
          const auto m = static_cast<size_t>(o.delay);
          v[n] = a * u[n] + (n < m ? 0.0 : b * u[n - m] + p * v[n - m]);
        }
        u = v;
      }
      double w = 0;
      for (int64_t n = 0; n < count; ++n) {
        const double intensity = std::norm(u[static_cast<size_t>(n)]);
        w = o.memory < 0 ? w + intensity / static_cast<double>(o.window)
                         : o.memory * w + (1 - o.memory) * intensity;
        if ((n + 1) % o.window == 0) {
          y[s][k][n / o.window] = w;
          w = o.memory < 0 ? 0 : w;
        }
      }
    }
  }
  return y;
}

struct FilterBankCase {
  int64_t batch, samples, filters;
  FilterBankLayout layout;
};

class FilterBankTest : public ::testing::TestWithParam<FilterBankCase> {
 protected:
  FilterBankTest() { at::manual_seed(4); }
};

TEST_P(FilterBankTest, IsTheRecursionWithItsGradients) {
  const auto& [batch, samples, filters, layout] = GetParam();
  const auto x = at::randn({batch, samples}, at::kComplexDouble), c = bank(filters);
  const auto y = ops::filter_bank(x, c, layout);
  expect_close(y, slow_readings(x, c, layout), 1e-11);
  auto leaf = x.clone().requires_grad_(), leaf_c = c.clone().requires_grad_();
  const auto expected = ops::filter_bank_reference(leaf, leaf_c, layout);
  expect_close(y, expected.detach(), 1e-11);
  expect_close(ops::filter_bank(x.to(at::kComplexFloat), c.to(at::kComplexFloat), layout), y.to(at::kFloat),
               1e-4);
  const auto g = at::randn(y.sizes(), at::kDouble);
  (g * expected).sum().backward();
  const auto [dL_dx, dL_dc] = ops::filter_bank_backward(g, x, c, layout);
  expect_close(dL_dx, leaf.grad(), 1e-10, "waveform");
  expect_close(dL_dc, leaf_c.grad(), 1e-10, "coefficients");
  const auto [only_x, no_c] = ops::filter_bank_backward(g, x, c, layout, true, false);
  const auto [no_x, only_c] = ops::filter_bank_backward(g, x, c, layout, false, true);
  EXPECT_EQ(no_c.numel() + no_x.numel(), 0);
  EXPECT_TRUE(only_x.equal(dL_dx));
  EXPECT_TRUE(only_c.equal(dL_dc));
  // LibTorch's autograd through the operator.
  leaf.mutable_grad() = leaf_c.mutable_grad() = at::Tensor();
  (g * ops::filter_bank(leaf, leaf_c, layout)).sum().backward();
  EXPECT_TRUE(leaf.grad().equal(dL_dx));
  EXPECT_TRUE(leaf_c.grad().equal(dL_dc));
}

INSTANTIATE_TEST_SUITE_P(
    All, FilterBankTest,
    ::testing::Values(FilterBankCase{1, 1, 1, {}}, FilterBankCase{3, 40, 2, {.window = 4}},
                      FilterBankCase{17, 300, 3, {.window = 16, .memory = 0.8}},
                      FilterBankCase{2, 413, 2, {.order = 3, .window = 7, .memory = 0}},
                      FilterBankCase{5, 290, 1, {.order = 2, .delay = 3, .window = 5}},
                      FilterBankCase{2, 700, 2, {.delay = 150, .window = 64, .memory = 0.99}},
                      FilterBankCase{1, 130, 1, {.order = 2, .delay = 129, .window = 130}},
                      FilterBankCase{2, 30, 1, {.delay = 40, .window = 10}}));

TEST(FilterBankTest, PullBackIsTheDerivative) {
  at::manual_seed(4);
  for (const FilterBankLayout layout : {FilterBankLayout{2, 1, 5, 0.7}, FilterBankLayout{1, 3, 6, -1}}) {
    const auto x = at::randn({2, 33}, at::kComplexDouble), c = bank(2);
    const auto g = at::randn({2, 2, 33 / layout.window}, at::kDouble);
    const auto loss = [&] { return (g * ops::filter_bank(x, c, layout)).sum().item<double>(); };
    const auto [dL_dx, dL_dc] = ops::filter_bank_backward(g, x, c, layout);
    auto real_x = at::view_as_real(x), real_c = at::view_as_real(c);
    expect_close(at::view_as_real(dL_dx), central_differences(loss, real_x, 1e-5), 1e-8);
    expect_close(at::view_as_real(dL_dc), central_differences(loss, real_c, 1e-5), 1e-8);
  }
}

TEST(FilterBankTest, HasNoBatchAndNoThreads) {
  at::manual_seed(4);
  const FilterBankLayout layout{2, 1, 16, 0.9};
  const auto x = at::randn({70, 200}, at::kComplexFloat), c = bank(5).to(at::kComplexFloat);
  const auto y = ops::filter_bank(x, c, layout);
  const auto g = at::randn(y.sizes());
  const auto [dL_dx, dL_dc] = ops::filter_bank_backward(g, x, c, layout);
  for (const int64_t n : {0, 15, 16, 69}) {
    EXPECT_TRUE(ops::filter_bank(x.narrow(0, n, 1), c, layout).equal(y.narrow(0, n, 1)));
    EXPECT_TRUE(std::get<0>(ops::filter_bank_backward(g.narrow(0, n, 1), x.narrow(0, n, 1), c, layout))
                    .equal(dL_dx.narrow(0, n, 1)));
  }
  const int threads = at::get_num_threads();
  for (const int count : {1, 3}) {
    at::set_num_threads(count);
    const auto [again_x, again_c] = ops::filter_bank_backward(g, x, c, layout);
    EXPECT_TRUE(ops::filter_bank(x, c, layout).equal(y));
    EXPECT_TRUE(again_x.equal(dL_dx));
    EXPECT_TRUE(again_c.equal(dL_dc));
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(ops::filter_bank(x.t().contiguous().t(), c.t().contiguous().t(), layout).equal(y)) << "strides";
  EXPECT_TRUE(ops::filter_bank(x.conj().resolve_conj().conj(), c, layout).equal(y)) << "lazy conjugate";
  EXPECT_EQ(ops::filter_bank(x.narrow(0, 0, 0), c, layout).sizes(), at::IntArrayRef({0, 5, 12}));
}

TEST(FilterBankTest, PassesAWaveByItsTransferFunction) {
  // A long wave exp(2 pi i f n) settles at |H(f)|^2.
  const FilterBankLayout layout{.order = 2, .delay = 2, .window = 4000};
  at::manual_seed(4);
  const auto c = bank(3);
  for (const double f : {-0.31, 0.0, 0.07, 0.48}) {
    const auto n = at::arange(8000, at::kDouble) * (2 * std::numbers::pi * f);
    const auto y = ops::filter_bank(at::polar(at::ones_like(n), n).unsqueeze(0), c, layout);
    const auto z = c10::complex<double>(std::polar(1.0, -2 * std::numbers::pi * f * 2));
    const auto section = (c.select(1, 0) + c.select(1, 1) * z) / (1 - c.select(1, 2) * z);
    expect_close(y[0].select(1, 1), section.square().abs().square(), 1e-10);
  }
}

TEST(FilterBankTest, EmptyBatchesAreDifferentiatedTwice) {
  const auto x = at::zeros({0, 32}, at::kComplexDouble).requires_grad_(),
             c = at::rand({2, 3}, at::kComplexDouble).requires_grad_();
  const auto y = ops::filter_bank(x, c, {.window = 16});
  EXPECT_EQ(y.sizes(), at::IntArrayRef({0, 2, 2}));
  const auto first = torch::autograd::grad({y.sum()}, {c}, {}, std::nullopt, /*create_graph=*/true).front();
  EXPECT_TRUE(first.equal(at::zeros_like(c)));
  const auto second =
      torch::autograd::grad({at::real(first).sum()}, {c}, {}, std::nullopt, false, true).front();
  EXPECT_TRUE(!second.defined() || second.equal(at::zeros_like(c)));
}

TEST(FilterBankTest, RejectsWrongInput) {
  const auto x = at::zeros({2, 64}, at::kComplexFloat), c = at::zeros({3, 3}, at::kComplexFloat);
  const FilterBankLayout good{.window = 16};
  expect_complaint({"filter_bank", "waveform"}, [&] { ops::filter_bank(at::real(x), c, good); });
  expect_complaint({"filter_bank", "waveform"}, [&] { ops::filter_bank(x[0], c, good); });
  expect_complaint({"filter_bank", "waveform", "window of 65"},
                   [&] { ops::filter_bank(x, c, {.window = 65}); });
  expect_complaint({"filter_bank", "coefficients"}, [&] { ops::filter_bank(x, c.narrow(1, 0, 2), good); });
  expect_complaint({"filter_bank", "coefficients"},
                   [&] { ops::filter_bank(x, c.to(at::kComplexDouble), good); });
  expect_complaint({"filter_bank", "coefficients"}, [&] { ops::filter_bank(x, c.narrow(0, 0, 0), good); });
  expect_complaint({"filter_bank", "order", "1 to 16"}, [&] { ops::filter_bank(x, c, {.order = 0}); });
  expect_complaint({"filter_bank", "delay"}, [&] { ops::filter_bank(x, c, {.delay = 5000}); });
  expect_complaint({"filter_bank", "window"}, [&] { ops::filter_bank(x, c, {.window = 0}); });
  for (const double bad : {1.0, -0.5, std::nan("")}) {
    expect_complaint({"filter_bank", "memory"}, [&] { ops::filter_bank(x, c, {.memory = bad}); });
  }
  const auto g = at::zeros({2, 3, 4});
  expect_complaint({"filter_bank_backward", "dL_dy"},
                   [&] { ops::filter_bank_backward(g.narrow(2, 0, 3), x, c, good); });
  expect_complaint({"filter_bank_backward", "dL_dy"},
                   [&] { ops::filter_bank_backward(g.to(at::kDouble), x, c, good); });
}

}  // namespace
}  // namespace optotorch
