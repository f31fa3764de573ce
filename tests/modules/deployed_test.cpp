// Eval mode keeps what it deployed, and sees every way in which a tensor may change.

#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/phase_screen.h>
#include <torch/optim/sgd.h>

#include <atomic>
#include <thread>

namespace optotorch {
namespace {

/// Counts how often it is deployed.
class CountedImpl : public CloneableLayer<CountedImpl> {
 public:
  explicit CountedImpl(int64_t ports_) : CloneableLayer("Counted"), options(ports_) {
    gain = register_phases("gain", torch::ones({options}));
    offset = register_buffer("offset", torch::zeros({options}));
  }

  Role role() const override { return Role::component; }
  Deployment deploy() override {
    ++deployed;
    const auto g = gain.detach().clone(), o = offset.clone();
    return {{{"gain", g}}, [g, o](const torch::Tensor& x) { return x * g + o; }};
  }

  int64_t options;
  torch::Tensor gain, offset;
  std::atomic<int> deployed = 0;

 protected:
  void check_input(const torch::Tensor& x) const override {}
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override { return x * gain + offset; }
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override {
    accumulate(gain, (dL_dy * pass.input).sum(0));
    return dL_dy * gain;
  }
};

class DeployedTest : public ::testing::Test {
 protected:
  void SetUp() override { layer->eval(); }

  /// Whether eval mode shows the present values, and has deployed this often.
  void expect(int times) {
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(layer->forward(x).equal(x * layer->gain + layer->offset));
    EXPECT_EQ(layer->deployed, times);
  }

  std::shared_ptr<CountedImpl> layer = std::make_shared<CountedImpl>(3);
  torch::Tensor x = torch::randn({2, 3});
};

TEST_F(DeployedTest, OnceForManyCalls) {
  for (int call = 0; call < 3; ++call) {
    expect(1);
  }
}

TEST_F(DeployedTest, EveryChangeIsSeen) {
  expect(1);
  {
    const torch::NoGradGuard no_grad;
    layer->gain.mul_(2);
  }
  expect(2);
  layer->gain.data().add_(1);  // no version counter sees it, and LibTorch's SGD steps so
  expect(3);
  layer->gain.set_data(torch::randn({3}));
  expect(4);
  layer->offset.fill_(.5);
  expect(5);
  layer->to(torch::kFloat64);
  x = x.to(torch::kFloat64);
  expect(6);
  expect(6);
}

TEST_F(DeployedTest, AStepOfAnOptimiserIsSeen) {
  expect(1);
  torch::optim::SGD sgd(layer->parameters(), .1);
  layer->pullback(layer->propagate(x), torch::ones_like(x));
  sgd.step();
  expect(2);
}

TEST_F(DeployedTest, TrainingForgetsIt) {
  expect(1);
  layer->train();
  EXPECT_TRUE(layer->forward(x).equal(x));
  layer->eval();
  expect(2);
}

TEST_F(DeployedTest, ACopyHasItsOwn) {
  expect(1);
  const auto copy = std::dynamic_pointer_cast<CountedImpl>(layer->clone());
  copy->gain.data().fill_(3);
  EXPECT_TRUE(copy->forward(x).equal(x * 3));
  expect(1);
}

TEST_F(DeployedTest, ManyThreadsShareIt) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 50; ++call) {
        right += layer->forward(x).equal(x) ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(right, 200);
  EXPECT_EQ(layer->deployed, 1);
}

TEST_F(DeployedTest, OutsideOfInferenceModeWhatWasMadeInside) {
  {
    const c10::InferenceMode inference;
    EXPECT_TRUE(layer->forward(x).equal(x));
  }
  expect(1);
}

TEST_F(DeployedTest, ItsBitsAreThoseOfTheDeployment) {
  MziMesh mesh(6);
  mesh->eval();
  const auto light = torch::randn({5, 6}, torch::kComplexFloat);
  const auto first = mesh->forward(light);
  EXPECT_TRUE(mesh->forward(light).equal(first));
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(mesh->deploy().forward(light).equal(first));
}

}  // namespace
}  // namespace optotorch
