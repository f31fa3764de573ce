// Runs that fail, and go on later; runs that get longer; optimisers that ask more than once.

#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/schedule.h>
#include <optotorch/trainers/trainer.h>
#include <support/errors.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/temporary_folder.h>
#include <torch/nn/modules/dropout.h>
#include <torch/optim.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace optotorch::testing::laboratories {
namespace {

class Batches : public BatchSource {
 public:
  explicit Batches(int64_t failing = -1) : failing_(failing) {}
  int64_t size() const override { return 3; }
  Batch batch(int64_t epoch, int64_t index) const override {
    const int64_t number = 3 * epoch + index;
    if (number == failing_) {
      throw std::runtime_error("no batch");
    }
    const auto numbers = generator(static_cast<uint64_t>(number));
    return {torch::randn({4, ports}, numbers, torch::kComplexDouble),
            torch::randint(0, classes, {4}, numbers, torch::kLong)};
  }

 private:
  int64_t failing_;
};

/// Fails in its `failing`th step, when half of it is done.
template <typename Base>
class Failing : public Base {
 public:
  explicit Failing(int64_t failing) : failing_(failing) {}
  int64_t asked = 0;

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override {
    Base::teach(model, lesson);
    if (asked++ == failing_) {
      torch::rand({3});
      throw std::runtime_error("half a step");
    }
  }

 private:
  int64_t failing_;
};

/// A network with all that a step changes: noise, dropout, and a rule that learns.
struct FailingTraining {
  explicit FailingTraining(std::shared_ptr<Rule> rule_, const std::string& optimizer_ = "adam")
      : rule(std::move(rule_)) {
    torch::manual_seed(3);
    auto network = network_of(simulated());
    correct(*network);
    net->push_back(network);
    net->push_back(torch::nn::AnyModule(torch::nn::Dropout(0.2)));
    if (optimizer_ == "adam") {
      optimizer = std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(2e-2));
    } else {
      optimizer = std::make_shared<torch::optim::LBFGS>(
          net->parameters(), torch::optim::LBFGSOptions(0.5).max_iter(4).line_search_fn("strong_wolfe"));
    }
  }

  FitResult fit(const BatchSource& batches, const std::string& folder, int64_t epochs = 2) {
    return Trainer(net, rule, optimizer, cross_entropy,
                   TrainerOptions()
                       .epochs(epochs)
                       .folder(folder)
                       .resume(true)
                       .schedule(cosine_schedule())
                       .checkpoint_seconds(0)
                       .progress(false))
        .fit(batches);
  }

  std::shared_ptr<Rule> rule;
  Hybrid net;
  std::shared_ptr<torch::optim::Optimizer> optimizer;
};

class FailedRunTest : public OneThreadTest {
 protected:
  std::string folder(const std::string& name) const { return folder_.path() + "/" + name; }

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(FailedRunTest, TheLastWholeStepIsKept) {
  for (const std::string optimizer : {"adam", "lbfgs"}) {
    const auto rule = std::make_shared<Failing<DualAdaptive>>(-1);
    FailingTraining whole(rule, optimizer);
    whole.fit(Batches(), folder("whole " + optimizer));
    const bool adam = optimizer == "adam";
    // LBFGS asks several times a step; what fails in the first leaves nothing.
    for (const int64_t step : adam ? std::vector<int64_t>{1, 2, 3, 5}
                                   : std::vector<int64_t>{1, rule->asked / 2, rule->asked - 1}) {
      const auto name = c10::str(optimizer, step);
      FailingTraining stopped(std::make_shared<Failing<DualAdaptive>>(step), optimizer);
      EXPECT_THROW(stopped.fit(Batches(), folder(name)), std::runtime_error) << name;
      const bool kept = std::filesystem::exists(folder(name));
      EXPECT_EQ(kept, adam || step > 1) << name;
      FailingTraining resumed(std::make_shared<DualAdaptive>(), optimizer);
      const auto result = resumed.fit(Batches(), folder(name));
      EXPECT_EQ(result.resumed, kept) << name;
      expect_equal(parameters_by_name(*resumed.net), parameters_by_name(*whole.net), name);
      expect_equal(resumed.rule->state(), whole.rule->state(), name);
    }
  }
}

TEST_F(FailedRunTest, ABatchThatFailsLosesNothing) {
  FailingTraining whole(std::make_shared<DualAdaptive>());
  whole.fit(Batches(), folder("whole"));
  for (const int64_t step : {1, 2, 3, 5}) {
    FailingTraining stopped(std::make_shared<DualAdaptive>()), resumed(std::make_shared<DualAdaptive>());
    EXPECT_THROW(stopped.fit(Batches(step), folder(c10::str(step))), std::runtime_error);
    EXPECT_TRUE(resumed.fit(Batches(), folder(c10::str(step))).resumed);
    expect_equal(parameters_by_name(*resumed.net), parameters_by_name(*whole.net), c10::str(step));
  }
}

TEST_F(FailedRunTest, BeforeTheFirstStepNothingIsWritten) {
  FailingTraining stopped(std::make_shared<Failing<DualAdaptive>>(0)), none(std::make_shared<DualAdaptive>());
  EXPECT_THROW(stopped.fit(Batches(), folder("new")), std::runtime_error);
  EXPECT_THROW(none.fit(Batches(0), folder("new")), std::runtime_error);
  EXPECT_FALSE(std::filesystem::exists(folder("new")));
}

TEST_F(FailedRunTest, WeightsThatAreNotFiniteAreNotKept) {
  class Spoils : public BackPropagation {
   public:
    int64_t left = 4;

   protected:
    void teach(HybridImpl& model, const Lesson& lesson) override {
      BackPropagation::teach(model, lesson);
      if (--left == 0) {
        model.parameters()[0].mutable_grad().fill_(NAN);
      }
    }
  };
  FailingTraining spoilt(std::make_shared<Spoils>());
  EXPECT_THROW(spoilt.fit(Batches(), folder("spoilt")), c10::ValueError);
  const auto file = load_safetensors(folder("spoilt") + "/checkpoint.safetensors");
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("progress/trainer")).at("epoch"), 1);
  EXPECT_TRUE(file.tensors.at("model/0.0.theta").isfinite().all().item<bool>());
}

TEST_F(FailedRunTest, MoreEpochsExtendARun) {
  for (const int64_t first : {1, 2}) {
    const auto constant = [&](FailingTraining& training, int64_t epochs, const std::string& name) {
      return Trainer(training.net, training.rule, training.optimizer, cross_entropy,
                     TrainerOptions().epochs(epochs).folder(folder(name)).resume(true).progress(false))
          .fit(Batches());
    };
    const auto name = c10::str("extended", first);
    FailingTraining whole(std::make_shared<DualAdaptive>());
    constant(whole, 3, name + "whole");
    FailingTraining shorter(std::make_shared<DualAdaptive>());
    constant(shorter, first, name);
    FailingTraining extended(std::make_shared<DualAdaptive>()), fewer(std::make_shared<DualAdaptive>());
    EXPECT_EQ(constant(extended, 3, name).epochs.size(), 3U);
    expect_equal(parameters_by_name(*extended.net), parameters_by_name(*whole.net), name);
    EXPECT_SAYS(constant(fewer, 1, name), "expected a run of 1 epochs of 3 batches, got epoch 3, batch 0");
  }
}

TEST_F(FailedRunTest, APositionThatIsNoneIsRefused) {
  FailingTraining written(std::make_shared<DualAdaptive>());
  written.fit(Batches(), folder("run"));
  const auto path = folder("run") + "/checkpoint.safetensors";
  const auto file = load_safetensors(path);
  const auto state = nlohmann::json::parse(file.metadata.at("progress/trainer"));
  FailingTraining read(std::make_shared<DualAdaptive>());
  const auto before = parameters_by_name(*read.net);
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"epochs", "[]"},
                                                        {"epochs", "7"},
                                                        {"epochs", R"([{"epoch":1}])"},
                                                        {"epoch", "-1"},
                                                        {"epoch", "1"},
                                                        {"epoch", "1e300"},
                                                        {"epoch", "18446744073709551615"},
                                                        {"batch", "4"},
                                                        {"batch", "2"},
                                                        {"samples", "-3"},
                                                        {"samples", "3"},
                                                        {"alignment", "{}"},
                                                        {"measure_sums", R"([["a"]])"},
                                                        {"loss_sum", R"("much")"},
                                                        {"seconds", "-1"}}) {
    auto changed_state = state;
    changed_state[key] = nlohmann::json::parse(value);
    auto changed = file;
    changed.metadata["progress/trainer"] = changed_state.dump();
    save_safetensors(path, changed);
    const auto what = key + " " + value;
    try {
      read.fit(Batches(), folder("run"));
      ADD_FAILURE() << what;
    } catch (const c10::ValueError& error) {
      EXPECT_NE(std::string(error.what_without_backtrace()).find(path), std::string::npos)
          << what << ": " << error.what_without_backtrace();
    }
    expect_equal(parameters_by_name(*read.net), before, what);
  }
  auto deep = file;
  deep.metadata["progress/trainer"] = std::string(70'000, '[');
  save_safetensors(path, deep);
  EXPECT_SAYS(read.fit(Batches(), folder("run")), "more than 64 arrays and objects");
}

/// Notes how often it is asked, and what LibTorch's generator, behind the dropout, says each time.
class Asked : public BackPropagation {
 public:
  std::vector<double> drawn;

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override {
    BackPropagation::teach(model, lesson);
    drawn.push_back(torch::rand({1}).item<double>());
  }
};

// Several evaluations a step are of one function: the same noise, the same dropout, one count.
TEST_F(FailedRunTest, LbfgsSeesOneFunctionAStep) {
  torch::manual_seed(1);
  Hybrid net(MziMesh(ports), Photodetector(PhotodetectorOptions().shot_noise(0.01)), torch::nn::Dropout(0.5));
  net->to(torch::kFloat64);
  const auto lbfgs =
      std::make_shared<torch::optim::LBFGS>(net->parameters(), torch::optim::LBFGSOptions(0.3).max_iter(5));
  const auto rule = std::make_shared<Asked>();
  const auto loss = [](const torch::Tensor& y, const torch::Tensor&) { return y.square().mean(); };
  const auto before = parameters_by_name(*net);
  Trainer(net, rule, lbfgs, loss, TrainerOptions().epochs(2).progress(false)).fit(Batches());
  const std::set<double> draws(rule->drawn.begin(), rule->drawn.end());
  EXPECT_EQ(draws.size(), 6U) << "one function a step";
  EXPECT_GT(rule->drawn.size(), 18U) << "asked several times a step";
  EXPECT_EQ(net->named_buffers()["1.passes"].item<int64_t>(), 6) << "one pass a step is counted";
  EXPECT_FALSE(parameters_by_name(*net).at("0.theta").equal(before.at("0.theta")));
}

}  // namespace
}  // namespace optotorch::testing::laboratories
