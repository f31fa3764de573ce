// What a metric means to those who take its mean, and to a Trainer that looks for the best epoch.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/trainer.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <fstream>

namespace optotorch {
namespace {

using Better = Metric::Better;

/// Batches of 1, 2, ... samples, or of 2, 3, ...
class Growing : public BatchSource {
 public:
  Growing(int64_t batches, int64_t first) : batches_(batches), first_(first) {}
  int64_t size() const override { return batches_; }
  Batch batch(int64_t epoch, int64_t index) const override {
    const int64_t samples = first_ + index;
    const auto x = at::arange(3 * samples, at::kDouble).view({samples, 3}).add(epoch).sin();
    return {x, x.narrow(1, 0, 2)};
  }

 private:
  int64_t batches_, first_;
};

double first_size(const torch::Tensor& output, const torch::Tensor& target) {
  return static_cast<double>(target.size(0));
}

Hybrid small_network() {
  torch::manual_seed(1);
  Hybrid net(torch::nn::Linear(3, 2));
  net->to(at::kDouble);
  return net;
}

TEST(MetricsTest, AnyFunctionIsAnAccuracy) {
  const Metric plain = accuracy;
  const Metric lambda = [](const torch::Tensor&, const torch::Tensor&) { return 0.25; };
  const Metric wrapped = Metric::Function(accuracy);
  for (const auto& metric : {plain, lambda, wrapped}) {
    EXPECT_EQ(metric.name, "accuracy");
    EXPECT_TRUE(metric.is_better(0.5, 0.4));
    EXPECT_FALSE(metric.is_better(0.4, 0.5));
    EXPECT_FALSE(metric.is_better(0.5, 0.5));
    EXPECT_EQ(metric.weight(at::zeros({4, 5})), 4);
  }
  EXPECT_EQ(lambda({}, {}), 0.25);
  const auto output = at::eye(3), target = at::tensor({0, 1, 1}, at::kLong);
  EXPECT_EQ(plain(output, target), accuracy(output, target));
  const Metric error(first_size, "error", Better::smaller, Metric::Over::elements);
  EXPECT_TRUE(error.is_better(0.4, 0.5));
  EXPECT_FALSE(error.is_better(0.5, 0.5));
  EXPECT_EQ(error.weight(at::zeros({4, 5})), 20);
}

TEST(MetricsTest, NothingIsBetterThanNan) {
  for (const auto better : {Better::larger, Better::smaller}) {
    const Metric metric(first_size, "size", better);
    EXPECT_FALSE(metric.is_better(NAN, 0.5));
  }
}

TEST(MetricsTest, MeansAreOverSamplesOrElements) {
  auto net = small_network();
  const Growing source(3, 1);
  // Sizes 1, 2, 3, each as often as it says.
  EXPECT_NEAR(evaluate(*net, source, first_size), 14. / 6, 1e-15);
  // A target of two values a sample changes nothing, one that is longer in a batch does.
  EXPECT_NEAR(evaluate(*net, source, {first_size, "size", Better::larger, Metric::Over::elements}), 14. / 6,
              1e-15);
  class Uneven : public Growing {
   public:
    Uneven() : Growing(2, 1) {}
    Batch batch(int64_t epoch, int64_t index) const override {
      return {Growing::batch(epoch, index).data, at::zeros({1 + index, index == 0 ? 10 : 1})};
    }
  };
  EXPECT_NEAR(evaluate(*net, Uneven(), first_size), 5. / 3, 1e-15);
  EXPECT_NEAR(evaluate(*net, Uneven(), {first_size, "size", Better::larger, Metric::Over::elements}),
              (10. * 1 + 2 * 2) / 12, 1e-15);
}

/// Trains on batches of two samples and more, with a metric that tells what `script` says of the validation
/// set, which is a batch of one sample, epoch by epoch. Returns the epochs whose weights are the best ones.
std::vector<int64_t> best_epochs(const std::vector<double>& script, Better better,
                                 const std::string& folder = "", size_t stop_after = 0) {
  auto net = small_network();
  auto sgd = std::make_shared<torch::optim::SGD>(net->parameters(), torch::optim::SGDOptions(0.1));
  std::vector<at::Tensor> weights;
  size_t told = 0;
  const auto tell = [&](const torch::Tensor&, const torch::Tensor& target) {
    if (target.size(0) > 1) {
      return 0.5;
    }
    weights.push_back(net->parameters()[0].detach().clone());
    return script.at(told++);
  };
  const auto loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::mse_loss(output, target);
  };
  const Growing train(2, 2), validation(1, 1);
  const auto fit = [&](size_t epochs) {
    return Trainer(net, std::make_shared<BackPropagation>(), sgd, loss,
                   TrainerOptions()
                       .epochs(static_cast<int64_t>(epochs))
                       .progress(false)
                       .folder(folder)
                       .resume(true)
                       .metric({tell, better == Better::larger ? "accuracy" : "error", better}))
        .fit(train, &validation);
  };
  if (stop_after > 0) {
    fit(stop_after);
    net = small_network();
    sgd = std::make_shared<torch::optim::SGD>(net->parameters(), torch::optim::SGDOptions(0.1));
  }
  const auto result = fit(script.size());
  std::vector<int64_t> best;
  for (size_t epoch = 0; epoch < weights.size(); ++epoch) {
    if (!result.best_weights.empty() && result.best_weights.at("0.weight").equal(weights[epoch])) {
      best.push_back(static_cast<int64_t>(epoch) + 1);
    }
  }
  return best;
}

TEST(MetricsTest, TheBestEpochIsTheFirstOfTheBest) {
  using Epochs = std::vector<int64_t>;
  EXPECT_EQ(best_epochs({0.3, 0.9, 0.1, 0.9, 0.5}, Better::larger), Epochs{2});
  EXPECT_EQ(best_epochs({0.3, 0.9, 0.1, 0.1, 0.5}, Better::smaller), Epochs{3});
  EXPECT_EQ(best_epochs({0.0, 0.0}, Better::larger), Epochs{1});
  EXPECT_EQ(best_epochs({5.0, 4.0, 3.0}, Better::smaller), Epochs{3});
  EXPECT_EQ(best_epochs({3.0, 4.0, 5.0}, Better::smaller), Epochs{1});
  EXPECT_EQ(best_epochs({-7.0, -3.0, -4.0}, Better::larger), Epochs{2});
}

TEST(MetricsTest, WhatIsNoNumberIsNeverTheBest) {
  using Epochs = std::vector<int64_t>;
  for (const double bad : {double{NAN}, double{INFINITY}, -double{INFINITY}}) {
    for (const auto better : {Better::larger, Better::smaller}) {
      EXPECT_EQ(best_epochs({bad, 2.0, bad, 2.0}, better), Epochs{2});
      EXPECT_EQ(best_epochs({bad, bad}, better), Epochs{});
    }
  }
}

TEST(MetricsTest, AResumedRunKnowsTheBestEpoch) {
  using Epochs = std::vector<int64_t>;
  const testing::TemporaryFolder folder;
  int run = 0;
  for (const size_t stop : {1, 2, 3}) {
    const auto next = [&] { return folder.path() + "/" + std::to_string(run++); };
    EXPECT_EQ(best_epochs({0.3, 0.9, 0.1, 0.5}, Better::larger, next(), stop), Epochs{2});
    EXPECT_EQ(best_epochs({0.3, 0.1, 0.9, 0.2}, Better::smaller, next(), stop), Epochs{2});
    EXPECT_EQ(best_epochs({NAN, 0.3, NAN, 0.1}, Better::smaller, next(), stop), Epochs{4});
  }
}

TEST(MetricsTest, AccuraciesAreLoggedAsEver) {
  const testing::TemporaryFolder folder;
  best_epochs({0.25}, Better::larger, folder.path());
  std::ifstream file(folder.path() + "/metrics.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const auto seconds = line.find("\"seconds\":");
  ASSERT_NE(seconds, std::string::npos);
  const auto loss = line.find("\"train_accuracy\"");
  EXPECT_EQ(line.substr(0, 24), R"({"epoch":1,"train_loss":)");
  EXPECT_EQ(line.substr(loss, seconds - loss),
            R"("train_accuracy":0.5,"validation_accuracy":0.25,"test_accuracy":null,)");
  EXPECT_EQ(line.find(',', seconds), std::string::npos) << line;
  const auto report =
      EpochReport::from_json(R"({"epoch":3,"train_loss":1.5,"train_accuracy":0.5,)"
                             R"("validation_accuracy":null,"test_accuracy":0.75,"seconds":2})");
  EXPECT_EQ(report.metric, "accuracy");
  EXPECT_EQ(*report.test_accuracy, 0.75);
}

TEST(MetricsTest, AMetricHasANameOfItsOwn) {
  auto net = small_network();
  const auto sgd = std::make_shared<torch::optim::SGD>(net->parameters(), torch::optim::SGDOptions(0.1));
  for (const std::string name : {"", "loss"}) {
    EXPECT_SAYS(Trainer(net, std::make_shared<BackPropagation>(), sgd, {},
                        TrainerOptions().metric({first_size, name})),
                "Trainer: metric: expected a name");
  }
  EXPECT_SAYS(EpochReport::from_json(R"({"epoch":1,"metric":5,"train_loss":1})"), "a line of metrics.jsonl");
  EXPECT_SAYS(EpochReport::from_json(R"({"epoch":1,"metric":"bits","train_loss":1,"train_accuracy":1})"),
              "train_bits");
}

}  // namespace
}  // namespace optotorch
