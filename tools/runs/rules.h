#pragma once

// The rules that the program knows by name.

#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/two_pass_forward.h>

#include <memory>
#include <string>
#include <vector>

#include "runs/presets.h"

namespace optotorch::tools {

/// A rule by name: one of its own, or the preset's two-pass rule with some options changed.
struct RuleName {
  std::string name;
  std::string description;
};

std::vector<RuleName> rule_descriptions();
std::vector<std::string> rule_names();

/// What a rule may want to know of a run beyond its preset.
struct RuleContext {
  int64_t seed = 0;
  int64_t epochs = 1, steps_per_epoch = 1;
  Laboratory laboratory = {};  ///< complete: nothing is left to the preset
};

/// Throws c10::ValueError that names the nearest rule, and for a rule that reads more than the preset shows.
std::shared_ptr<Rule> make_rule(const std::string& name, const Preset& preset, const RuleContext& context);

/// The direct feedback of the rules of that kind: for 'odfa' and its like through a simulated optical
/// processing unit. For other rules that of 'dfa'.
DirectFeedbackOptions feedback_options(const std::string& rule, const Preset& preset, int64_t seed);

/// What a rule makes of the readings behind the meshes before the last one of a laboratory.
enum class TapUse {
  unused,
  welcome,  ///< it reads them where there are any
  needed,
};

TapUse tap_use_of(const std::string& rule);

}  // namespace optotorch::tools
