#pragma once

#include <optotorch/trainers/rules/rule.h>

namespace optotorch {

/// Back-propagation through the system itself, which must be a simulation that knows its slopes (TransparentSystem): what
/// no laboratory can do, and hence how good any rule for one can be at most.
///
/// It teaches the PhysicalNetworks of a Hybrid, without their corrections; all other layers by
/// back-propagation.
class Oracle : public Rule {
 public:
  std::string name() const override { return "oracle"; }

 protected:
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override;
  void teach(HybridImpl& model, const Lesson& lesson) override {
    teach_backwards(model, lesson.passes, lesson.dL_dy(), &Layer::dat_update);
  }
};

}  // namespace optotorch
