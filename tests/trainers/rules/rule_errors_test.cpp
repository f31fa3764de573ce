// What a rule says of a layer that does not fit names the layer's position.

#include <gtest/gtest.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/errors.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>

namespace optotorch {
namespace {

TEST(RuleErrorsTest, EveryRuleNamesTheLayer) {
  const Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };
  const std::vector<std::shared_ptr<Rule>> rules{
      std::make_shared<BackPropagation>(), std::make_shared<DirectFeedback>(), std::make_shared<Shallow>(),
      std::make_shared<TwoPassForward>()};
  for (const auto& rule : rules) {
    Hybrid net(Modulator(8), MziMesh(8), Photodetector(), Modulator(6), MziMesh(6), Photodetector(),
               torch::nn::Linear(6, 3));
    EXPECT_SAYS(rule->step(*net, torch::rand({4, 8}), torch::zeros(4, torch::kLong), loss),
                "layer 3 (Modulator): input: ");
  }
}

}  // namespace
}  // namespace optotorch
