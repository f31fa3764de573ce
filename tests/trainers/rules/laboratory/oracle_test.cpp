// Back-propagation through a simulated system itself.

#include <gtest/gtest.h>
#include <optotorch/modules/laboratory/fine_planes.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/trainers/rules/laboratory/oracle.h>
#include <support/differences.h>
#include <support/errors.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <memory>
#include <vector>

namespace optotorch::testing::oracles {
namespace {

constexpr int64_t side = 5, classes = 3;

std::vector<std::shared_ptr<DiffractiveLayerImpl>> planes() {
  std::vector<std::shared_ptr<DiffractiveLayerImpl>> all;
  for (int64_t n = 0; n < 2; ++n) {
    all.push_back(
        DiffractiveLayer(DiffractiveLayerOptions({side, side}).hop(HopOptions().distance(1e-3))).ptr());
  }
  return all;
}

PhysicalNetwork measured(const std::shared_ptr<PhysicalSystem>& system,
                         const std::vector<std::shared_ptr<DiffractiveLayerImpl>>& stages,
                         Detection detection) {
  return PhysicalNetwork(system, std::vector<std::shared_ptr<Stage>>(stages.begin(), stages.end()),
                         PhysicalNetworkOptions().detection(detection));
}

torch::Tensor cross_entropy(const torch::Tensor& y, const torch::Tensor& target) {
  return torch::nn::functional::cross_entropy(y, target);
}

const auto errors = Imperfections().offset_error(.3).gain_error(.1).distance_error(.05);

TEST(OracleTest, ItsStepIsTheSlopeOfTheMeasuredLoss) {
  torch::manual_seed(1);
  for (const auto detection : {Detection::intensity, Detection::amplitude}) {
    const auto stages = planes();
    const auto system = std::make_shared<FinePlanes>(
        std::vector<std::shared_ptr<const DiffractiveLayerImpl>>(stages.begin(), stages.end()), errors, 3);
    DiffractiveLayer before(DiffractiveLayerOptions({side, side}).hop(HopOptions().distance(1e-3)));
    Hybrid net(before, measured(system, stages, detection),
               torch::nn::Sequential(torch::nn::Flatten(), torch::nn::Linear(side * side, classes)));
    net->to(torch::kFloat64);
    const auto x = torch::randn({4, 1, side, side}, torch::kComplexDouble);
    const auto target = torch::randint(classes, {4});
    Oracle rule;
    const auto result = rule.step(*net, x, target, cross_entropy);
    const auto loss = [&] { return cross_entropy(net->forward(x), target).item<double>(); };
    EXPECT_NEAR(result.loss.item<double>(), loss(), 1e-12);
    const auto parameters = net->named_parameters();
    ASSERT_EQ(parameters.size(), 5);
    for (const auto& item : parameters) {
      expect_close(item.value().grad(), central_differences(loss, item.value()), 1e-7, item.key());
    }
  }
}

TEST(OracleTest, ASystemThatGivesReadingsAloneIsRefused) {
  const auto stages = planes();
  std::vector<std::shared_ptr<BuiltStage>> built_stages;
  for (const auto& stage : stages) {
    built_stages.push_back(built(*stage, errors, 1));
  }
  Hybrid net(measured(std::make_shared<SimulatedSystem>(built_stages), stages, Detection::intensity),
             torch::nn::Sequential(torch::nn::Flatten(), torch::nn::Linear(side * side, classes)));
  const auto x = torch::randn({2, 1, side, side}, torch::kComplexFloat);
  Oracle rule;
  EXPECT_SAYS(rule.step(*net, x, torch::zeros({2}, torch::kLong), cross_entropy),
              "system: expected a simulation that knows its slopes");
}

}  // namespace
}  // namespace optotorch::testing::oracles
