#pragma once

#include <optotorch/trainers/rules/rule.h>

namespace optotorch {

/// Only the head is trained, on whatever the untrained optics before it deliver: the floor of every
/// comparison.
class Shallow : public Rule {
 public:
  std::string name() const override { return "shallow"; }

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override {
    teach_head(model, lesson.passes, lesson.dL_dy);
  }
};

}  // namespace optotorch
