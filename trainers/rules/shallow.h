#pragma once

#include <optotorch/trainers/rules/rule.h>

#include <vector>

namespace optotorch {

/// Only the head is trained (behind its last tap, if it has taps inside), on whatever the untrained optics
/// before it deliver: the floor of every comparison.
class Shallow : public Rule {
 public:
  std::string name() const override { return "shallow"; }

 protected:
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override {
    return model.propagate_parts(input);
  }
  void teach(HybridImpl& model, const Lesson& lesson) override {
    teach_head(model, lesson.passes, lesson.dL_dy());
  }
};

}  // namespace optotorch
