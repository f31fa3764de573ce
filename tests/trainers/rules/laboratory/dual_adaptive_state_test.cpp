// The state of dual adaptive training: stopped runs, wrong states, and what puts everything back.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <support/dual_adaptive.h>
#include <support/laboratories.h>
#include <support/mesh_cases.h>
#include <support/slow_network.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace optotorch::testing::laboratories {
namespace {

using testing::copies;
using testing::CorrectionCase;
using testing::learners;
using testing::Parameters;

class DualAdaptiveStateTest : public OneThreadTest {
 protected:
  DualAdaptiveStateTest() { torch::manual_seed(7); }
};

/// A run that can be stopped: everything that a checkpoint holds.
struct DualCourse {
  explicit DualCourse(const CorrectionCase& row, int64_t seed = 1) {
    torch::manual_seed(seed);
    network = corrected_network(simulated(), row);
    net->push_back(network);
    optimizer =
        std::make_unique<torch::optim::Adam>(network->parameters(), torch::optim::AdamOptions(phase_rate));
  }

  void go(int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      torch::manual_seed(100 + i);
      const auto x = fields();
      const auto target = targets();
      optimizer->zero_grad();
      rule.step(*net, x, target, cross_entropy);
      optimizer->step();
    }
  }

  PhysicalNetwork network = nullptr;
  Hybrid net;
  std::unique_ptr<torch::optim::Adam> optimizer;
  DualAdaptive rule{
      DualAdaptiveOptions().steps(8).schedule(cosine_schedule()).calibration_steps(1).warm_up_steps(2)};
};

TEST_F(DualAdaptiveStateTest, AStoppedRunContinuesToTheSameBits) {
  for (const auto& row : {testing::sepn_case("Sepn", {2, 3, 2}), testing::linear_case(),
                          testing::white_box_case("WhiteBox", true)}) {
    DualCourse whole(row);
    whole.go(0, 7);
    for (const int64_t stop : {0, 1, 2, 5}) {
      SCOPED_TRACE(c10::str(row.name, " ", stop));
      DualCourse stopped(row);
      stopped.go(0, stop);
      const auto state = copies(stopped.rule.state());
      const auto adam = optimizer_state(*stopped.optimizer);
      const auto phases = copies(learners(*stopped.network));
      DualCourse fresh(row, /*seed=*/stop == 0 ? 1 : 9);
      fresh.rule.load_state(state);
      if (stop > 0) {
        expect_equal(fresh.rule.state(), state, "a state that waits");
        load_optimizer_state(*fresh.optimizer, adam);
        for (auto& item : fresh.network->named_parameters()) {
          item.value().detach().copy_(phases.at(item.key()));
        }
      }
      stopped.go(stop, 7);  // the state is no longer that of this one
      fresh.go(stop, 7);
      expect_equal(learners(*fresh.network), learners(*whole.network));
      EXPECT_EQ(fresh.rule.similarity_loss(), whole.rule.similarity_loss());
      expect_equal(fresh.rule.state(), whole.rule.state(), "state");
      // Back in time, on a rule at work.
      if (stop > 0) {
        fresh.rule.load_state(state);
        expect_equal(fresh.rule.state(), state, "loaded again");
      }
    }
  }
}

TEST_F(DualAdaptiveStateTest, StatesOfOthersAreRejectedAndChangeNothing) {
  DualCourse run(testing::linear_case()), other(testing::white_box_case("WhiteBox", true)),
      more(testing::linear_case());
  run.go(0, 2);
  other.go(0, 2);
  more.go(0, 3);
  const auto good = more.rule.state();
  std::vector<Parameters> wrong = {{{"projection", torch::ones({3})}}, other.rule.state()};
  for (const auto* const key : {"steps", "correction.1.matrix", "optimizer"}) {
    wrong.push_back(good);
    wrong.back().erase(key);
  }
  const auto with = [&](const std::string& key, const torch::Tensor& value) {
    wrong.push_back(good);
    wrong.back()[key] = value;
  };
  const auto matrix = good.at("correction.2.matrix");
  with("steps", torch::ones({2}, torch::kInt64));
  with("steps", torch::tensor(1.0));
  with("correction.2.matrix", matrix.narrow(0, 0, 5));
  with("correction.2.matrix", matrix.to(torch::kFloat32));
  with("correction.2.matrix", at::full_like(matrix, std::nan("")));
  with("optimizer", torch::zeros({7}, torch::kByte));
  with("optimizer", torch::ones({7}));
  const auto state = copies(run.rule.state()), before = copies(learners(*run.network));
  for (size_t i = 0; i < wrong.size(); ++i) {
    EXPECT_NE(complaint([&] { run.rule.load_state(wrong[i]); }), "") << i;
    expect_equal(run.rule.state(), state, c10::str(i));
    expect_equal(learners(*run.network), before, c10::str(i));
  }
  // A rule that has met no network cannot know all: then its first step says so, every time.
  for (size_t i = 0; i < wrong.size(); ++i) {
    DualCourse fresh(testing::linear_case(), 4);
    const auto born = copies(learners(*fresh.network));
    if (!complaint([&] { fresh.rule.load_state(wrong[i]); }).empty()) {
      expect_equal(learners(*fresh.network), born, c10::str(i));
      continue;
    }
    for (int attempt = 0; attempt < 2; ++attempt) {
      EXPECT_NE(complaint([&] { fresh.go(0, 1); }), "") << i << ", attempt " << attempt;
      expect_equal(learners(*fresh.network), born, c10::str(i));
      EXPECT_EQ(fresh.network->system()->measurements(), 0) << i;
    }
    fresh.rule.load_state(good);
    fresh.go(0, 1);
  }
}

// alignment() runs a step and puts everything back, corrections too.
TEST_F(DualAdaptiveStateTest, AlignmentLeavesNoTrace) {
  for (const int64_t steps : {0, 4}) {
    DualCourse run(testing::white_box_case("WhiteBox", true)),
        twin(testing::white_box_case("WhiteBox", true));
    run.go(0, steps);
    twin.go(0, steps);
    const auto before = copies(learners(*run.network));
    const auto cosines = alignment(run.rule, *run.net, fields(), targets(), cross_entropy);
    ASSERT_EQ(cosines.size(), 1U);
    expect_equal(learners(*run.network), before, std::to_string(steps));
    run.go(steps, steps + 3);
    twin.go(steps, steps + 3);
    expect_equal(learners(*run.network), learners(*twin.network), std::to_string(steps));
  }
}

}  // namespace
}  // namespace optotorch::testing::laboratories
