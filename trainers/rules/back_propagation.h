#pragma once

#include <optotorch/trainers/rules/rule.h>

namespace optotorch {

/// Back-propagation: the signal at a block's output is the pull-back of the block above. Exact, and the
/// yardstick; no physical system can run it on its own.
class BackPropagation : public Rule {
 public:
  std::string name() const override { return "bp"; }

 protected:
  void teach(HybridImpl& model, const Lesson& lesson) override;
};

}  // namespace optotorch
