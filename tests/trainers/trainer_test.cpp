// What the loop logs of a rule, and that a run which was stopped has the log of one that was not.

#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/trainer.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/temporary_folder.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

namespace optotorch::testing::laboratories {
namespace {

/// Batches of unequal size; fails once at the batch `failing`, as a kill would.
class SomeBatches : public BatchSource {
 public:
  explicit SomeBatches(int64_t failing = -1) : failing_(failing) {}
  int64_t size() const override { return 4; }
  Batch batch(int64_t epoch, int64_t index) const override {
    const int64_t number = 4 * epoch + index;
    if (number == failing_) {
      throw std::runtime_error("stopped");
    }
    const auto numbers = generator(static_cast<uint64_t>(number));
    const int64_t samples = 3 + index;
    return {torch::randn({samples, ports}, numbers, torch::kComplexDouble),
            torch::randint(0, classes, {samples}, numbers, torch::kLong)};
  }

 private:
  int64_t failing_;
};

/// The mean of the samples' classes: a measure that anybody can compute.
class TellsItsTarget : public InSilico {
 public:
  std::map<std::string, double> measures() const override { return {{"target", target_}, {"nan", NAN}}; }

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override {
    InSilico::teach(model, lesson);
    target_ = lesson.dL_dy().size(0);
  }

 private:
  double target_ = 0;
};

struct Training {
  explicit Training(std::shared_ptr<Rule> rule_ = std::make_shared<DualAdaptive>()) : rule(std::move(rule_)) {
    torch::manual_seed(3);
    network = network_of(simulated());
    correct(*network);
    net->push_back(network);
    optimizer = std::make_shared<torch::optim::Adam>(network->parameters(), torch::optim::AdamOptions(2e-2));
  }

  FitResult fit(const BatchSource& batches, TrainerOptions options = {}) {
    return Trainer(net, rule, optimizer, cross_entropy, options.epochs(3).progress(false)).fit(batches);
  }

  std::shared_ptr<Rule> rule;
  PhysicalNetwork network = nullptr;
  Hybrid net;
  std::shared_ptr<torch::optim::Optimizer> optimizer;
};

class TrainerTest : public OneThreadTest {
 protected:
  /// metrics.jsonl without the seconds.
  static std::vector<std::string> log(const std::string& folder) {
    std::vector<std::string> lines;
    std::ifstream file(folder + "/metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      auto report = EpochReport::from_json(line);
      EXPECT_EQ(report.to_json(), line);
      report.seconds = 0;
      lines.push_back(report.to_json());
    }
    return lines;
  }

  testing::TemporaryFolder folder;
};

TEST_F(TrainerTest, LogsTheMeansOfWhatARuleMeasures) {
  Training run, twin;
  const SomeBatches batches;
  const auto result = run.fit(batches, TrainerOptions().folder(folder.path()));
  ASSERT_EQ(result.epochs.size(), 3U);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    double sum = 0, samples = 0;
    for (int64_t k = 0; k < batches.size(); ++k) {
      const auto batch = batches.batch(epoch, k);
      twin.optimizer->zero_grad();
      twin.rule->step(*twin.net, batch.data, batch.target, cross_entropy);
      twin.optimizer->step();
      const auto count = static_cast<double>(batch.target.size(0));
      sum += count * twin.rule->measures().at("similarity_loss");
      samples += count;
    }
    const auto& measures = result.epochs[static_cast<size_t>(epoch)].measures;
    ASSERT_EQ(measures.size(), 1U);
    EXPECT_NEAR(measures.at("similarity_loss"), sum / samples, 1e-12 * sum);
  }
  const auto lines = log(folder.path());
  ASSERT_EQ(lines.size(), 3U);
  for (const auto& line : lines) {
    EXPECT_NE(line.find("\"measures\":{\"similarity_loss\":"), std::string::npos) << line;
  }
}

TEST_F(TrainerTest, MeansAreOverSamples) {
  Training run(std::make_shared<TellsItsTarget>());
  const auto result = run.fit(SomeBatches(), TrainerOptions().folder(folder.path()));
  const auto& measures = result.epochs.front().measures;
  EXPECT_NEAR(measures.at("target"), (3. * 3 + 4 * 4 + 5 * 5 + 6 * 6) / 18, 1e-12);
  EXPECT_TRUE(std::isnan(measures.at("nan")));
  EXPECT_NE(log(folder.path()).front().find("\"nan\":null"), std::string::npos);
  Training silent(std::make_shared<InSilico>());
  EXPECT_TRUE(silent.fit(SomeBatches()).epochs.front().measures.empty());
}

TEST_F(TrainerTest, AStoppedRunHasTheSameLog) {
  for (const bool numbers_are_nan : {false, true}) {
    const auto rule = [&]() -> std::shared_ptr<Rule> {
      return numbers_are_nan ? std::make_shared<TellsItsTarget>() : std::shared_ptr<Rule>(new DualAdaptive);
    };
    const auto options = [&](const std::string& name) {
      return TrainerOptions().folder(folder.path() + "/" + name).resume(true).checkpoint_steps(1);
    };
    const std::string whole_name = numbers_are_nan ? "whole-nan" : "whole";
    Training whole(rule());
    const auto result = whole.fit(SomeBatches(), options(whole_name));
    for (const int64_t stop : {1, 3, 4, 6, 11}) {
      const auto name = c10::str(whole_name, stop);
      Training stopped(rule()), resumed(rule());
      EXPECT_THROW(stopped.fit(SomeBatches(stop), options(name)), std::runtime_error);
      const auto again = resumed.fit(SomeBatches(), options(name));
      EXPECT_TRUE(again.resumed);
      EXPECT_EQ(log(folder.path() + "/" + name), log(folder.path() + "/" + whole_name)) << stop;
      expect_equal(parameters_by_name(*resumed.net), parameters_by_name(*whole.net), name);
      expect_equal(resumed.rule->state(), whole.rule->state(), name);
      ASSERT_EQ(again.epochs.size(), result.epochs.size());
    }
  }
}

// The cosine with the true gradient is looked at, and changes nothing.
TEST_F(TrainerTest, AlignmentWithATruthChangesNothing) {
  Training plain, watched, knowing(std::make_shared<InSilico>());
  correct_exactly(*knowing.network);
  const auto expected = plain.fit(SomeBatches());
  const auto found = watched.fit(
      SomeBatches(), TrainerOptions().alignment(true).truth(TrueGradient{knowing.net.ptr(), knowing.rule}));
  expect_equal(parameters_by_name(*watched.net), parameters_by_name(*plain.net));
  expect_equal(watched.rule->state(), plain.rule->state());
  for (size_t i = 0; i < found.epochs.size(); ++i) {
    EXPECT_EQ(found.epochs[i].train_loss, expected.epochs[i].train_loss);
    EXPECT_EQ(found.epochs[i].measures, expected.epochs[i].measures);
    ASSERT_EQ(found.epochs[i].alignment.size(), 1U);
    EXPECT_GT(found.epochs[i].alignment[0], -1);
    EXPECT_LT(found.epochs[i].alignment[0], 1 - 1e-6);
  }
}

}  // namespace
}  // namespace optotorch::testing::laboratories
