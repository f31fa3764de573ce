#pragma once

#include <optotorch/trainers/rules/rule.h>

namespace optotorch {

/// Only the head is trained, on whatever the untrained optics before it deliver: the floor of every
/// comparison.
class Shallow : public Rule {
 public:
  std::string name() const override { return "shallow"; }

 protected:
  void teach(HybridImpl& model, const std::vector<Pass>& passes, const torch::Tensor& dL_dy) override {
    teach_head(model, passes, dL_dy);
  }
};

}  // namespace optotorch
