#pragma once

// The rules that the program knows by name: one table.

#include <optotorch/trainers/rules/direct_feedback.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runs/laboratory.h"

namespace optotorch::tools {

struct Training;

/// Access of a rule to a network's hidden components; each includes those before it.
enum class Readable {
  values,       ///< electronic values
  intensities,  ///< light, by detectors
  fields,       ///< light itself
};

/// Use that a rule makes of the readings behind the stages before the last one of a laboratory.
enum class Monitors {
  unused,
  welcome,  ///< it reads them where there are any
  needed,
};

/// Use that a rule makes of a correction of the laboratory's model.
enum class Corrects {
  nothing,     ///< there is none unless the user asks for one
  identified,  ///< one that was fitted before training
  as_told,     ///< the network's
  always,      ///< it teaches one
};

/// A rule by name: one of its own, or a short form, another one with some options set.
struct NamedRule {
  std::string name;
  std::string description;
  std::string family;                 ///< the rule whose options it takes (`--set`): "tpfp" of "tpfp-twin"
  std::string options = "{}";         ///< those that are set, JSON
  Readable needs = Readable::values;  ///< at a hidden component
  bool for_laboratory = false;        ///< it measures all stages at once
  Monitors monitors = Monitors::unused;
  Corrects corrects = Corrects::nothing;
};

const std::vector<NamedRule>& named_rules();
std::vector<std::string> rule_names();
/// Throws c10::ValueError that names the nearest rule.
const NamedRule& find_rule(const std::string& name);

/// Facts of a run that a rule wants to know.
struct RuleContext {
  std::vector<std::string> set = {};  ///< options, "key=value"
  int64_t seed = 0;
  int64_t epochs = 1, steps_per_epoch = 1;
  int64_t stages = 1;          ///< of the laboratory
  Laboratory laboratory = {};  ///< complete
};

/// Options: the family's defaults, then the network's, the short form's, and those of the context. Throws
/// c10::ValueError for unknown options and values out of their ranges.
std::shared_ptr<Rule> make_rule(const NamedRule& rule, const Training& training, const RuleContext& context);

/// Throws c10::ValueError, in the name of `where`, for what are no options of the rule of that name.
void check_rule_options(const std::string& name, const nlohmann::json& options, const std::string& where);

/// The direct feedback of a rule of that family: for 'odfa' and its like through a simulated optical
/// processing unit. For other rules that of 'dfa'.
DirectFeedbackOptions feedback_options(const NamedRule& rule, const Training& training,
                                       const RuleContext& context);

}  // namespace optotorch::tools
