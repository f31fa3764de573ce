#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/spectral_filter_bank.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

using testing::expect_close;
using BankOptions = SpectralFilterBankOptions;

TEST(SpectralFilterBankTest, SelectsItsWave) {
  // A wave at a filter's centre passes it, and another not.
  constexpr int64_t symbols = 4000;
  SpectralFilterBank bank(BankOptions(symbols, 3).frequencies({-0.2, 0.1, 0.4}).width(0.01).window(1000));
  bank->to(torch::kFloat64);
  const auto n = at::arange(symbols, at::kDouble) * (2 * std::numbers::pi * 0.1);
  const auto read = bank->forward(at::polar(at::ones_like(n), n).unsqueeze(0))[0].select(1, 3);
  EXPECT_NEAR(read[1].item<double>(), 1, 1e-6);
  for (const int64_t other : {0, 2}) {
    const double x = 2 * 0.3 / 0.01;
    EXPECT_NEAR(read[other].item<double>(), 1 / (1 + x * x), 2e-4);
  }
}

TEST(SpectralFilterBankTest, RealImagesReadTheSameAtBothSidebands) {
  SpectralFilterBank bank(BankOptions(64, 2).frequencies({-0.13, 0.13}).window(8));
  bank->to(torch::kFloat64);
  at::manual_seed(1);
  const auto x = at::randn({3, 64}, at::kDouble);
  const auto y = bank->forward(at::complex(x, at::zeros_like(x)));
  expect_close(y.select(1, 0), y.select(1, 1), 1e-12);
}

TEST(SpectralFilterBankTest, DetuningIsInHalfWidthsOfTheDesign) {
  SpectralFilterBank bank(BankOptions(30, 2).frequencies({0.1, 0.2}).width(0.08).window(10));
  bank->to(torch::kFloat64);
  at::manual_seed(1);
  const auto x = at::randn({2, 30}, at::kComplexDouble);
  const Values errors = {{"resonance", at::tensor({1.0, -0.5}, at::kDouble)},
                         {"broadening", at::tensor({0.5, 0.0}, at::kDouble)}};
  const auto off = bank->respond(x, bank->commands(), errors);
  Values commands = bank->commands();
  commands["frequency"] = commands["frequency"] + at::tensor({0.04, -0.02}, at::kDouble);
  commands["log_width"] = commands["log_width"] + at::tensor({std::log(1.5), 0.0}, at::kDouble);
  expect_close(off, bank->respond(x, commands, {}), 1e-12);
}

TEST(SpectralFilterBankTest, LearnsUnlessItIsToldNotTo) {
  const SpectralFilterBank learns(BankOptions(8, 2).window(4)),
      fixed(BankOptions(8, 2).window(4).learns(false));
  EXPECT_TRUE(is_trainable(*learns));
  EXPECT_FALSE(is_trainable(*fixed));
  EXPECT_FALSE(is_trainable(*fixed->clone()));
}

TEST(SpectralFilterBankTest, RejectsWrongInput) {
  const auto rejected = [](const std::string& what, const BankOptions& options) {
    expect_complaint({"SpectralFilterBank", what}, [&] { SpectralFilterBank bank(options); });
  };
  const BankOptions good(64, 3);
  rejected("frequencies", BankOptions(good).frequencies({0.1, 0.2}));
  rejected("frequencies", BankOptions(good).frequencies({0.1, 0.2, 0.51}));
  rejected("frequencies", BankOptions(good).frequencies({0.1, 0.2, std::nan("")}));
  rejected("lowest", BankOptions(good).lowest(0.3).highest(0.2));
  rejected("highest", BankOptions(good).highest(0.7));
  for (const double width : {0.0, -0.1, 0.6, std::nan("")}) {
    rejected("width", BankOptions(good).width(width));
  }
  rejected("window", BankOptions(good).window(65));
  rejected("window", BankOptions(good).window(0));
  rejected("bandwidth", BankOptions(good).bandwidth(-0.1));
  rejected("order", BankOptions(good).order(17));
  rejected("delay", BankOptions(good).delay(2));
  rejected("delay", BankOptions(good).kind(FilterKind::ring).delay(5000));
  rejected("loss_db", BankOptions(good).loss_db(1));
  rejected("filters", BankOptions(64, 0));
  SpectralFilterBank bank(good);
  expect_complaint({"SpectralFilterBank", "input"}, [&] {
    bank->forward(at::zeros({2, 63}, at::kComplexFloat));
  });
  expect_complaint({"SpectralFilterBank", "input"}, [&] { bank->forward(at::zeros({2, 64})); });
}

}  // namespace
}  // namespace optotorch
