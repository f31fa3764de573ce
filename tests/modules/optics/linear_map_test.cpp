#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/optics/linear_map.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/differences.h>
#include <support/errors.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

LinearMap make_map(int64_t in, int64_t out, Maps maps, bool bias = true) {
  LinearMap map(LinearMapOptions(in, out).maps(maps).bias(bias));
  map->to(torch::kFloat64);
  return map;
}

class LinearMapTest : public ::testing::TestWithParam<Maps> {
 protected:
  LinearMapTest() { torch::manual_seed(3); }
};

/// W and b from what the component says of itself.
std::pair<torch::Tensor, torch::Tensor> matrix_of(const LinearMap& map) {
  switch (map->options.maps()) {
    case Maps::electronic:
      return {map->linear->weight.detach(), map->linear->bias.detach()};
    case Maps::weight_bank: {
      const auto bank = std::dynamic_pointer_cast<WeightBankImpl>(map->optics->layer());
      const auto squared = bank->detuning.square();
      return {(1 - squared) / (1 + squared), bank->bias};
    }
    default:
      return {at::real(std::dynamic_pointer_cast<MziLinearImpl>(map->optics->layer())->matrix()),
              map->bias.detach()};
  }
}

TEST_P(LinearMapTest, MultipliesTheLastDimension) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{5, 3}, {3, 5}, {4, 4}, {1, 2}, {2, 1}}) {
    auto map = make_map(in, out, GetParam());
    const auto [w, b] = matrix_of(map);
    ASSERT_EQ(w.sizes(), (at::IntArrayRef{out, in}));
    for (const auto& leading : std::vector<std::vector<int64_t>>{{6}, {1, 1}, {2, 3}, {2, 1, 3, 2}}) {
      auto shape = leading;
      shape.push_back(in);
      const auto x = torch::randn(shape, torch::kFloat64);
      const auto expected = x.matmul(w.t()) + b;
      for (const bool training : {true, false}) {
        map->train(training);
        expect_close(map->forward(x).detach(), expected, 1e-13);
        // Neighbours in memory are not neighbours here.
        const auto strided = x.transpose(0, -1).contiguous().transpose(0, -1);
        expect_close(map->forward(strided).detach(), expected, 1e-13);
      }
      const auto single = x.to(torch::kFloat32);
      map->to(torch::kFloat32);
      expect_close(map->forward(single).detach(), expected.to(torch::kFloat32), 1e-5);
      map->to(torch::kFloat64);
    }
  }
}

TEST_P(LinearMapTest, GradientsAreDerivatives) {
  auto map = make_map(4, 3, GetParam());
  const auto x = torch::randn({2, 3, 4}, torch::kFloat64), w = torch::randn({2, 3, 3}, torch::kFloat64);
  const auto leaf = x.clone().requires_grad_();
  (map->forward(leaf) * w).sum().backward();
  const auto loss = [&] {
    const torch::NoGradGuard no_grad;
    return (map->forward(x) * w).sum().item<double>();
  };
  expect_close(leaf.grad(), testing::central_differences(loss, x), 1e-8, "input");
  for (auto& item : map->named_parameters()) {
    expect_close(item.value().grad(), testing::central_differences(loss, item.value().detach()), 1e-8,
                 item.key());
  }
}

TEST_P(LinearMapTest, CopiesAreTheirOwn) {
  auto map = make_map(3, 4, GetParam());
  map->eval();
  const auto copy = std::dynamic_pointer_cast<LinearMapImpl>(map->clone());
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->named_parameters().keys(), map->named_parameters().keys());
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({2, 3}, torch::kFloat64);
  const auto y = map->forward(x);
  for (auto& parameter : map->parameters()) {
    parameter.add_(1);
  }
  EXPECT_TRUE(copy->forward(x).equal(y));
  EXPECT_FALSE(map->forward(x).equal(y));
}

TEST_P(LinearMapTest, WithoutOffset) {
  auto with = make_map(3, 2, GetParam()), without = make_map(3, 2, GetParam(), /*bias=*/false);
  EXPECT_EQ(without->parameters().size() + 1, with->parameters().size());
  EXPECT_FALSE(without->forward(torch::zeros({4, 3}, torch::kFloat64)).any().item<bool>());
  EXPECT_TRUE(with->forward(torch::zeros({4, 3}, torch::kFloat64)).all().item<bool>());
}

TEST_P(LinearMapTest, SaysWhatIsWrong) {
  auto map = make_map(3, 2, GetParam());
  EXPECT_SAYS(map->forward(torch::Tensor()), "undefined");
  EXPECT_SAYS(map->forward(torch::randn({3}, torch::kFloat64)), "[..., 3], got float64 [3]");
  EXPECT_SAYS(map->forward(torch::randn({3, 2}, torch::kFloat64)), "got float64 [3, 2]");
  EXPECT_SAYS(map->forward(torch::ones({2, 3}, torch::kInt64)), "real values");
  EXPECT_SAYS(map->forward(torch::randn({2, 3}, torch::kComplexDouble)), "Photodetector");
  EXPECT_SAYS(map->forward(torch::randn({2, 3}, torch::kFloat32)), "float64");
  EXPECT_SAYS(make_map(0, 2, GetParam()), "1 to 2^24, got 0, 2");
  EXPECT_SAYS(make_map(2, -1, GetParam()), "1 to 2^24, got 2, -1");
}

TEST_P(LinearMapTest, PrintsItself) {
  std::ostringstream stream;
  make_map(3, 2, GetParam(), false)->pretty_print(stream);
  EXPECT_EQ(stream.str(), "optotorch::LinearMap(in_features=3, out_features=2, maps=" +
                              to_string(GetParam()) + ", bias=false)");
}

INSTANTIATE_TEST_SUITE_P(All, LinearMapTest,
                         ::testing::Values(Maps::electronic, Maps::weight_bank, Maps::mzi_linear),
                         [](const auto& info) { return to_string(info.param); });

TEST(LinearMapTest, NamesOfParameters) {
  EXPECT_EQ(make_map(2, 2, Maps::electronic)->named_parameters().keys(),
            (std::vector<std::string>{"linear.weight", "linear.bias"}));
  EXPECT_EQ(make_map(2, 2, Maps::weight_bank)->named_parameters().keys(),
            (std::vector<std::string>{"optics.layer.detuning", "optics.layer.bias"}));
  const auto names = make_map(2, 2, Maps::mzi_linear)->named_parameters().keys();
  EXPECT_EQ(names.front(), "bias");
  EXPECT_NE(std::find(names.begin(), names.end(), "optics.layer.sigma"), names.end());
}

}  // namespace
}  // namespace optotorch
