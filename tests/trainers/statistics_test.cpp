#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/electronics/standardise.h>
#include <optotorch/trainers/statistics.h>
#include <support/differences.h>
#include <support/mesh_cases.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

namespace optotorch {
namespace {

using testing::expect_close;

/// Seven samples in batches of three, far from zero.
class SevenSamples : public BatchSource {
 public:
  int64_t size() const override { return 3; }
  Batch batch(int64_t /*epoch*/, int64_t index) const override {
    return {all.narrow(0, 3 * index, index < 2 ? 3 : 1), {}};
  }
  static at::Tensor make() {
    at::manual_seed(3);
    auto x = at::randn({7, 2, 3}, at::kDouble) + 1e4;
    x.select(1, 1).select(1, 2).fill_(5);  // never changes
    return x;
  }
  const at::Tensor all = make();
};

TEST(StatisticsTest, AreThoseOfTheTrainingSet) {
  const SevenSamples data;
  Standardise first(StandardiseOptions({2, 3})), second(StandardiseOptions({4}));
  Hybrid net(first, torch::nn::Flatten(), torch::nn::Linear(6, 4), second);
  net->to(torch::kFloat64);
  net->train();
  EXPECT_EQ(fit_statistics(*net, data), 2);
  EXPECT_TRUE(net->is_training());
  expect_close(first->mean, data.all.mean(0), 1e-12);
  auto deviation = data.all.std(at::IntArrayRef({0}), /*unbiased=*/false);
  deviation[1][2] = 1;
  expect_close(first->deviation, deviation, 1e-10);
  // The second one sees what the first delivers then.
  const auto y = net->forward(data.all);
  EXPECT_LT(y.mean(0).abs().max().item<double>(), 1e-12);
  expect_close(y.var(at::IntArrayRef({0}), /*unbiased=*/false), at::ones({4}, at::kDouble), 1e-9);
  // What was fitted stays.
  const auto before = first->mean.clone();
  net->forward(data.all * 2);
  EXPECT_TRUE(first->mean.equal(before));
}

TEST(StatisticsTest, AreNoneWithoutAModule) {
  Hybrid net(torch::nn::Flatten(), torch::nn::Linear(6, 4));
  net->to(torch::kFloat64);
  EXPECT_EQ(fit_statistics(*net, SevenSamples()), 0);
}

TEST(StatisticsTest, ThatAreStoppedLeaveTheModuleAlone) {
  Standardise module(StandardiseOptions({2, 3}));
  Hybrid net(module);
  net->to(torch::kFloat64);
  int asked = 0;
  fit_statistics(*net, SevenSamples(), [&] { return ++asked == 2; });
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(module->mean.abs().max().item<double>(), 0);
}

TEST(StatisticsTest, RejectWrongInput) {
  expect_complaint({"Standardise", "sample"},
                   [] { Standardise(StandardiseOptions(std::vector<int64_t>{})); });
  expect_complaint({"Standardise", "sample"}, [] { Standardise(StandardiseOptions({3, 0})); });
  Standardise module(StandardiseOptions({3}));
  expect_complaint({"Standardise", "input", "[batch, 3]"}, [&] { module->forward(at::zeros({2, 4})); });
  module->watch();
  module->forward(at::zeros({1, 3}));
  expect_complaint({"Standardise", "two samples"}, [&] { module->finish(); });
  module->watch();
  module->forward(at::full({2, 3}, std::nan("")));
  expect_complaint({"Standardise", "finite"}, [&] { module->finish(); });
}

}  // namespace
}  // namespace optotorch
