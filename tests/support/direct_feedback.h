#pragma once

// What the tests of direct feedback share: a hybrid network, a batch, and a rule's gradients.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

#include <vector>

namespace optotorch::testing {

inline const Loss squared = [](const torch::Tensor& y, const torch::Tensor& t) {
  return (y - t).square().mean();
};

class DirectFeedbackFixture : public ::testing::Test {
 protected:
  DirectFeedbackFixture() {
    torch::manual_seed(19);
    net = Hybrid(Modulator(6), MziMesh(6), MziMesh(6), Photodetector(), torch::nn::Linear(6, 5),
                 torch::nn::Tanh(), torch::nn::Linear(5, 3));
    net->to(torch::kFloat64);
    x = torch::randn({8, 6}, torch::kFloat64);
    target = torch::randn({8, 3}, torch::kFloat64);
  }

  std::vector<torch::Tensor> gradients_by(Rule& rule, const torch::Tensor& input, const torch::Tensor& wanted,
                                          const Loss& loss = squared) {
    net->zero_grad();
    rule.step(*net, input, wanted, loss);
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : net->parameters()) {
      gradients.push_back(parameter.grad().clone());
    }
    net->zero_grad();
    return gradients;
  }

  static bool equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
      if (!a[i].equal(b[i])) {
        return false;
      }
    }
    return a.size() == b.size();
  }

  Hybrid net;
  torch::Tensor x, target;
};

}  // namespace optotorch::testing
