#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/text/language.h>
#include <optotorch/trainers/datasets/text/ngrams.h>
#include <optotorch/trainers/datasets/text/text_batches.h>
#include <optotorch/trainers/datasets/text/text_split.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/trainer.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/successors.h>
#include <support/temporary_folder.h>
#include <support/texts.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

using testing::babble;
using testing::central_differences;
using testing::expect_close;
using testing::numbers;
using testing::successors;

/// Token by token, as it is written on paper.
double slow_loss(const at::Tensor& output, const at::Tensor& target) {
  double sum = 0;
  for (int64_t b = 0; b < target.size(0); ++b) {
    for (int64_t t = 0; t < target.size(1); ++t) {
      double all = 0;
      for (int64_t v = 0; v < output.size(2); ++v) {
        all += std::exp(output[b][t][v].item<double>());
      }
      sum += std::log(all) - output[b][t][target[b][t].item<int64_t>()].item<double>();
    }
  }
  return sum / static_cast<double>(target.numel());
}

TEST(LanguageTest, LossIsTheMeanOverTokens) {
  torch::manual_seed(1);
  const auto output = 3 * at::randn({4, 5, 7}, at::kDouble);
  const auto target = at::randint(7, {4, 5}, at::kLong);
  const double expected = slow_loss(output, target);
  const auto loss = next_token_loss(output, target);
  EXPECT_EQ(loss.dim(), 0);
  EXPECT_NEAR(loss.item<double>(), expected, 1e-14 * expected);
  EXPECT_NEAR(next_token_loss(output.to(at::kFloat), target).item<double>(), expected, 1e-6 * expected);
  EXPECT_NEAR(bits_per_character()(output, target), expected / std::log(2), 1e-14 * expected);
  // Neither tensor need be contiguous.
  const auto turned = output.permute({1, 0, 2}), turned_target = target.t();
  EXPECT_NEAR(next_token_loss(turned, turned_target).item<double>(), expected, 1e-14 * expected);
  EXPECT_NEAR(next_token_loss(output.transpose(1, 2).contiguous().transpose(1, 2), target).item<double>(),
              expected, 1e-14 * expected);
}

TEST(LanguageTest, GradientOfTheLoss) {
  torch::manual_seed(2);
  auto output = at::randn({2, 3, 4}, at::kDouble);
  const auto target = at::randint(4, {2, 3}, at::kLong);
  auto leaf = output.clone().requires_grad_();
  next_token_loss(leaf, target).backward();
  expect_close(leaf.grad(), central_differences([&] { return slow_loss(output, target); }, output), 1e-9);
}

TEST(LanguageTest, KnowingNothingCostsTheLogarithmOfTheVocabulary) {
  for (const int64_t vocabulary : {1, 2, 3, 65, 1000}) {
    for (const double level : {0., -700., 1e4}) {
      const auto output = at::full({2, 9, vocabulary}, level, at::kDouble);
      const auto target = at::randint(vocabulary, {2, 9}, at::kLong);
      EXPECT_NEAR(bits_per_character()(output, target), std::log2(vocabulary), 1e-11);
      EXPECT_NEAR(bits_per_character()(output.to(at::kFloat), target), std::log2(vocabulary), 1e-5);
    }
  }
}

TEST(LanguageTest, CertaintyIsFreeWhereItIsRight) {
  const auto target = at::tensor({0, 2, 1}, at::kLong).unsqueeze(0);
  auto output = at::zeros({1, 3, 3}, at::kDouble);
  output.scatter_(2, target.unsqueeze(2), 1000);
  EXPECT_EQ(bits_per_character()(output, target), 0);
  EXPECT_NEAR(bits_per_character()(output, (target + 1) % 3), 1000 / std::log(2), 1e-9);
}

TEST(LanguageTest, RejectsWhatDoesNotFit) {
  const auto output = at::randn({2, 3, 5});
  const auto target = at::zeros({2, 3}, at::kLong);
  EXPECT_NO_THROW(next_token_loss(output, target));
  EXPECT_SAYS(next_token_loss(output[0], target[0]), "real [batch, tokens, vocabulary]");
  EXPECT_SAYS(next_token_loss(output, target.t()), "float32 [2, 3, 5] and int64 [3, 2]");
  EXPECT_SAYS(next_token_loss(output, target.flatten()), "int64 [6]");
  EXPECT_SAYS(next_token_loss(output, target.to(at::kInt)), "int32");
  EXPECT_SAYS(next_token_loss(output, output), "float32");
  EXPECT_SAYS(next_token_loss(at::complex(output, output), target), "complex64");
  EXPECT_SAYS(next_token_loss(output.to(at::kLong), target), "int64 [2, 3, 5]");
  EXPECT_SAYS(next_token_loss(output.narrow(1, 0, 0), target.narrow(1, 0, 0)), "no size 0");
  EXPECT_SAYS(next_token_loss({}, target), "undefined");
  EXPECT_SAYS(next_token_loss(output, {}), "undefined");
  EXPECT_SAYS(next_token_loss(output, target + 5), "from 0 to 4, got 5");
  EXPECT_SAYS(next_token_loss(output, target - 1), "from 0 to 4, got -1");
  // The number that LibTorch would leave out of the mean.
  EXPECT_SAYS(next_token_loss(output, target - 100), "from 0 to 4, got -100");
  EXPECT_SAYS(bits_per_character()(output, target - 100), "from 0 to 4, got -100");
}

// Weighed by windows, the short one at the end would count as much as a whole one.
TEST(LanguageTest, EvaluationIsTheMeanOverCharacters) {
  torch::manual_seed(3);
  const Characters text("text", babble(100, 5));
  auto net = successors(at::randn({text.vocabulary_size(), text.vocabulary_size()}, at::kDouble));
  const TextBatches batches(text, TextBatchesOptions(2, 60));
  ASSERT_EQ(batches.size(), 2);
  const auto ids = text.ids().unsqueeze(0);
  const double expected = slow_loss(net->forward(ids.narrow(1, 0, 99)), ids.narrow(1, 1, 99)) / std::log(2);
  EXPECT_NEAR(evaluate(*net, batches, bits_per_character()), expected, 1e-13);
  const TextBatches whole(text, TextBatchesOptions(2, 60).drop_last(true));
  EXPECT_GT(std::abs(evaluate(*net, whole, bits_per_character()) - expected), 1e-6);
}

TEST(LanguageTest, ATableOfPairsHasTheBitsOfBigrams) {
  const Characters text("text", babble(5000, 9));
  const auto train = text.part(Characters::Mode::train), test = text.part(Characters::Mode::test);
  const auto size = text.vocabulary_size();
  auto counts = at::ones({size, size}, at::kDouble);
  const auto ids = numbers(train.ids());
  for (size_t i = 1; i < ids.size(); ++i) {
    counts[ids[i - 1]][ids[i]] += 1;
  }
  auto net = successors(counts.log());
  const double expected = bigram_bits(train, test);
  for (const int64_t context : {1, 7, 64, 499}) {
    EXPECT_NEAR(evaluate(*net, TextBatches(test, TextBatchesOptions(3, context)), bits_per_character()),
                expected, 1e-12);
  }
}

/// Every character lies so many letters behind the one before, where some distances are frequent.
std::string walk(size_t count) {
  std::string text;
  int place = 0;
  for (const char distance : babble(count, 9)) {
    place = (place + distance - 'a') % 9;
    text.push_back(static_cast<char>('a' + place));
  }
  return text;
}

/// Learns what follows each character of a text.
struct Lessons {
  Lessons() {
    torch::manual_seed(4);
    optimizer = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(0.05));
  }
  FitResult fit(TrainerOptions options, const Metric& metric = bits_per_character()) {
    const auto parts = split(text.part(Characters::Mode::train), 0.1);
    const TextBatches train(parts.training, TextBatchesOptions(8, 25).steps(10).seed(1));
    const TextBatches validation(parts.validation, TextBatchesOptions(8, 25));
    const TextBatches test(text.part(Characters::Mode::test), TextBatchesOptions(8, 25));
    return Trainer(net, std::make_shared<BackPropagation>(), optimizer, next_token_loss,
                   options.epochs(6).progress(false).metric(metric))
        .fit(train, &validation, &test);
  }

  Characters text{"text", walk(5000)};
  Hybrid net = successors(at::zeros({text.vocabulary_size(), text.vocabulary_size()}));
  std::shared_ptr<torch::optim::Optimizer> optimizer;
};

TEST(LanguageTest, ATrainerLearnsAndLogsBits) {
  const testing::TemporaryFolder folder;
  Lessons lessons;
  const auto result = lessons.fit(TrainerOptions().folder(folder.path()));
  ASSERT_EQ(result.epochs.size(), 6u);
  const auto& last = result.epochs.back();
  EXPECT_EQ(last.metric, "bits_per_character");
  EXPECT_NEAR(last.train_accuracy, last.train_loss / std::log(2), 1e-6);
  EXPECT_LT(*last.test_accuracy, std::log2(lessons.text.vocabulary_size()) - 0.2);
  EXPECT_LT(*last.validation_accuracy, *result.epochs.front().validation_accuracy);
  std::ifstream file(folder.path() + "/metrics.jsonl");
  size_t lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    const auto json = nlohmann::json::parse(line);
    const auto& epoch = result.epochs.at(lines);
    EXPECT_EQ(json.at("metric"), "bits_per_character");
    EXPECT_EQ(json.at("train_bits_per_character"), epoch.train_accuracy);
    EXPECT_EQ(json.at("validation_bits_per_character"), *epoch.validation_accuracy);
    EXPECT_EQ(json.at("test_bits_per_character"), *epoch.test_accuracy);
    EXPECT_EQ(line.find("accuracy"), std::string::npos) << line;
    EXPECT_EQ(EpochReport::from_json(line).to_json(), line);
  }
  EXPECT_EQ(lines, 6u);
}

TEST(LanguageTest, ARunResumesWithTheMetricThatItBeganWith) {
  const testing::TemporaryFolder folder;
  Lessons begun, resumed, other;
  const auto options = TrainerOptions().folder(folder.path()).resume(true);
  const auto result = begun.fit(options);
  EXPECT_SAYS(other.fit(options, accuracy), "expected 'bits_per_character', as in ");
  const auto again = resumed.fit(options);
  EXPECT_TRUE(again.resumed);
  EXPECT_EQ(again.epochs.back().to_json(), result.epochs.back().to_json());
  for (const auto& [name, tensor] : result.best_weights) {
    EXPECT_TRUE(again.best_weights.at(name).equal(tensor)) << name;
  }
}

}  // namespace
}  // namespace optotorch
