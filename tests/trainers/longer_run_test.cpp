// A run that is made longer goes on where one of the new length would be.

#include <gtest/gtest.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/trainer.h>
#include <support/temporary_folder.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

namespace optotorch {
namespace {

class ThreeBatches : public BatchSource {
 public:
  int64_t size() const override { return 3; }
  Batch batch(int64_t epoch, int64_t index) const override {
    return {torch::full({2, 4}, static_cast<double>(epoch + index)).to(torch::kFloat32),
            torch::zeros(2, torch::kLong)};
  }
};

TEST(LongerRunTest, SchedulesSeeTheSameStepOfTheNewTotal) {
  testing::TemporaryFolder folder;
  using Steps = std::vector<std::pair<int64_t, int64_t>>;
  Steps seen;
  const auto fit = [&](int64_t epochs) {
    torch::manual_seed(1);
    Hybrid net(torch::nn::Linear(4, 2));
    const auto adam =
        std::make_shared<torch::optim::Adam>(net->parameters(), torch::optim::AdamOptions(1e-2));
    Trainer trainer(
        net, std::make_shared<BackPropagation>(), adam,
        [](const torch::Tensor& output, const torch::Tensor& target) {
          return torch::nn::functional::cross_entropy(output, target);
        },
        TrainerOptions()
            .epochs(epochs)
            .folder(folder.path())
            .resume(true)
            .progress(false)
            .schedule([&seen](int64_t step, int64_t total) {
              seen.emplace_back(step, total);
              return cosine_schedule()(step, total);
            }));
    return trainer.fit(ThreeBatches()).epochs.size();
  };
  EXPECT_EQ(fit(1), 1U);
  EXPECT_EQ(seen, (Steps{{0, 3}, {1, 3}, {2, 3}}));
  seen.clear();
  EXPECT_EQ(fit(2), 2U);  // the first was finished
  EXPECT_EQ(seen, (Steps{{3, 6}, {4, 6}, {5, 6}}));
  EXPECT_NEAR(cosine_schedule()(3, 6), 0.5, 1e-12);  // half its height where the length doubles
  seen.clear();
  EXPECT_EQ(fit(2), 2U);
  EXPECT_TRUE(seen.empty());
}

}  // namespace
}  // namespace optotorch
