#pragma once

#include <optotorch/trainers/rules/rule.h>

namespace optotorch {

/// Physics-aware training (Wright et al., Nature 601, 549, 2022): the forward pass is the physical one, the
/// backward pass goes through the error-free model. Where readings behind every stage enter the model
/// (PhysicalNetworkOptions::internal_states) it is layer-wise, else it knows the measured output alone.
///
/// It teaches the PhysicalNetworks of a Hybrid, without their corrections; all other layers by
/// back-propagation.
class PhysicsAware : public Rule {
 public:
  std::string name() const override { return "pat"; }

 protected:
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override;
  void teach(HybridImpl& model, const Lesson& lesson) override {
    teach_backwards(model, lesson.passes, lesson.dL_dy(), &Layer::dat_update);
  }
};

}  // namespace optotorch
