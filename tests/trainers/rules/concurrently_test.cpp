#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/ScopeExit.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/rules/concurrently.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <support/differences.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace optotorch {
namespace {

class ConcurrentlyTest : public ::testing::TestWithParam<int> {
 protected:
  ConcurrentlyTest() : before_(at::get_num_threads()) { at::set_num_threads(GetParam()); }
  ~ConcurrentlyTest() override { at::set_num_threads(before_); }

 private:
  int before_;
};

TEST_P(ConcurrentlyTest, RunsEveryJobOnce) {
  for (const size_t count : {0, 1, 2, 7}) {
    std::vector<std::atomic<int>> runs(count);
    std::vector<std::function<void()>> jobs;
    for (size_t i = 0; i < count; ++i) {
      jobs.emplace_back([&runs, i] { ++runs[i]; });
    }
    run_concurrently(jobs);
    for (const auto& run : runs) {
      EXPECT_EQ(run, 1);
    }
  }
}

TEST_P(ConcurrentlyTest, JobsHaveTheCallersModes) {
  const torch::NoGradGuard no_grad;
  std::atomic<int> wrong = 0;
  const auto look = [&] { wrong += at::GradMode::is_enabled() ? 1 : 0; };
  run_concurrently({look, look, look, look});
  EXPECT_EQ(wrong, 0);
}

TEST_P(ConcurrentlyTest, RethrowsWhatAJobThrows) {
  const auto bad = [] { throw std::runtime_error("bad"); };
  EXPECT_THROW(run_concurrently({[] {}, bad, [] {}}), std::runtime_error);
}

/// The gradients of a step of direct feedback.
std::vector<torch::Tensor> taught(Hybrid net) {
  torch::manual_seed(3);
  const auto x = torch::randn({8, 6}, torch::kFloat64), target = torch::randn({8, 3}, torch::kFloat64);
  DirectFeedback().step(*net, x, target, [](const torch::Tensor& y, const torch::Tensor& t) {
    return (y - t).square().mean();
  });
  std::vector<torch::Tensor> gradients;
  for (const auto& parameter : net->parameters()) {
    gradients.push_back(parameter.grad());
  }
  return gradients;
}

Hybrid shared_twice() {
  torch::manual_seed(5);
  const torch::nn::Linear both(6, 6);
  Hybrid net(both, torch::nn::Tanh(), both, torch::nn::Tanh(), torch::nn::Linear(6, 3));
  net->to(torch::kFloat64);
  return net;
}

TEST_P(ConcurrentlyTest, AParameterInTwoBlocksLearnsFromBoth) {
  const auto gradients = taught(shared_twice());
  at::set_num_threads(1);
  const auto expected = taught(shared_twice());
  ASSERT_EQ(gradients.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    testing::expect_close(gradients[i], expected[i], 1e-14);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ConcurrentlyTest, ::testing::Values(1, 2, 5));

TEST(Concurrently, TwoThreadsWorkOnTwoJobsAtOnce) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  const auto restore = c10::make_scope_exit([before] { at::set_num_threads(before); });
  std::atomic<int> there = 0;
  // Each waits for the other: one after the other they would wait in vain.
  const auto meet = [&] {
    ++there;
    for (int i = 0; i < 10000 && there < 2; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(there, 2);
  };
  run_concurrently({meet, meet});
}

}  // namespace
}  // namespace optotorch
