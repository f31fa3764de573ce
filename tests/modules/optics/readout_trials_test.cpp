#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/boolean_readout.h>
#include <optotorch/modules/optics/readout_trials.h>
#include <optotorch/modules/optics/ternary_readout.h>
#include <support/differences.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::expect_close;

constexpr int64_t trial_in = 9, trial_out = 3, trial_batch = 131;  // no multiple of a vector or a block

std::vector<std::shared_ptr<DiscreteReadout>> all_kinds(double noise) {
  torch::manual_seed(5);
  const auto options = DiscreteReadoutOptions(trial_in, trial_out).noise(noise).seed(6);
  std::vector<std::shared_ptr<DiscreteReadout>> all = {std::make_shared<BooleanReadoutImpl>(options),
                                                       std::make_shared<TernaryReadoutImpl>(options)};
  for (const auto& readout : all) {
    readout->to(torch::kFloat64);
  }
  return all;
}

at::Tensor states(int64_t samples = trial_batch) {
  torch::manual_seed(8);
  return torch::rand({samples, trial_in}, torch::kFloat64);
}

/// Changes of outputs 0 and 2: the values that their weights do not have.
ReadoutTrials::Changes some_changes(const ReadoutTrials& trials) {
  const auto other = [&](int64_t output, int64_t input) {
    const double value = trials.weight(output, input);
    return WeightChange{input, trials.ternary() ? (value == 1 ? -1 : value + 1) : 1 - value};
  };
  return {{other(0, 3), other(0, 8), other(0, 0)}, {}, {other(2, 1)}};
}

// A trial reads what the read-out itself reads in training mode with these weights: noise and its count too.
TEST(ReadoutTrialsTest, ATrialIsTheWholeReadout) {
  const torch::NoGradGuard no_grad;
  for (const double noise : {0.0, 0.4}) {
    for (const auto& readout : all_kinds(noise)) {
      readout->gain.fill_(1);
      auto twin = std::dynamic_pointer_cast<DiscreteReadout>(readout->clone());
      const auto x = states();
      ReadoutTrials trials(*readout, x);
      const auto read_by_twin = [&](const ReadoutTrials::Changes& changes) {
        twin->weight.copy_(trials.weights());
        for (size_t output = 0; output < changes.size(); ++output) {
          for (const auto& [input, value] : changes[output]) {
            twin->weight[static_cast<int64_t>(output)][input] = value;
          }
        }
        return twin->forward(x).t();
      };
      expect_close(trials.measure(), read_by_twin({}), 1e-13);
      auto changes = some_changes(trials);
      expect_close(trials.measure(changes), read_by_twin(changes), 1e-13);
      expect_close(trials.measure(), read_by_twin({}), 1e-13);  // taken back
      expect_close(trials.measure(changes), read_by_twin(changes), 1e-13);
      trials.keep(2);
      trials.keep(1);
      trials.keep(2);  // once is enough
      expect_close(trials.measure(), read_by_twin({}), 1e-13);
      EXPECT_EQ(trials.weight(2, 1), changes[2][0].value);
      EXPECT_NE(trials.weight(0, 3), changes[0][0].value);
      EXPECT_EQ(trials.measurements(), 5);
      EXPECT_EQ(readout->readings.item<int64_t>(), noise > 0 ? 5 : 0);
      EXPECT_FALSE(readout->weight.equal(trials.weights()));
      trials.write();
      EXPECT_TRUE(readout->weight.equal(trials.weights()));
    }
  }
}

TEST(ReadoutTrialsTest, ThreadsDoNotMatter) {
  const int before = at::get_num_threads();
  const auto restore = c10::make_scope_exit([&] { at::set_num_threads(before); });
  for (size_t kind = 0; kind < 2; ++kind) {
    at::Tensor first;
    for (const int threads : {1, 2, 3}) {
      at::set_num_threads(threads);
      const auto readout = all_kinds(0.2)[kind];
      readout->to(torch::kFloat32);
      ReadoutTrials trials(*readout, states(40'001).to(at::kFloat));  // enough for more than one thread
      const auto read = trials.measure(some_changes(trials)).clone();
      first = first.defined() ? first : read;
      EXPECT_TRUE(read.equal(first)) << threads;
    }
  }
}

TEST(ReadoutTrialsTest, WrongInputIsRejected) {
  const auto readout = all_kinds(0)[1];
  EXPECT_SAYS(ReadoutTrials(*readout, torch::rand({1, trial_in}, torch::kFloat64)), "2 samples");
  EXPECT_SAYS(ReadoutTrials(*readout, torch::rand({4, trial_in + 1}, torch::kFloat64)), "states");
  EXPECT_SAYS(ReadoutTrials(*readout, torch::rand({4, trial_in})), "float64");
  EXPECT_SAYS(ReadoutTrials(*readout, torch::rand({1, trial_in}, torch::kFloat64).expand({4, trial_in})),
              "differ");
  auto broken = states();
  broken[3][4] = std::nan("");
  EXPECT_SAYS(ReadoutTrials(*readout, broken), "states");
  ReadoutTrials trials(*readout, states());
  EXPECT_SAYS(trials.measure({{}, {}}), "changes");
  EXPECT_SAYS(trials.measure({{{trial_in, 1}}, {}, {}}), "changes");
  EXPECT_SAYS(trials.measure({{{0, 0.5}}, {}, {}}), "changes");
  EXPECT_SAYS(trials.measure({{{0, -2}}, {}, {}}), "changes");
  const auto boolean = all_kinds(0)[0];
  ReadoutTrials only_boolean(*boolean, states());
  EXPECT_SAYS(only_boolean.measure({{{0, -1}}, {}, {}}), "changes");
}

}  // namespace
}  // namespace optotorch
