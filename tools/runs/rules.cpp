#include "runs/rules.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <optotorch/trainers/rules/shallow.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "runs/words.h"

namespace optotorch::tools {
namespace {

struct Entry {
  RuleName rule;
  std::function<std::shared_ptr<Rule>(TwoPassForwardOptions two_pass, const Preset& preset)> make;
  Readable needs = Readable::values;  ///< at a hidden component
};

/// A rule that projects the error.
struct FeedbackEntry {
  RuleName rule;
  std::optional<TernaryFramesOptions> ternary = {};
  bool optical = false;  ///< through an optical processing unit
};

/// A rule for a laboratory.
struct LaboratoryEntry {
  RuleName rule;
  std::shared_ptr<Rule> (*make)(const RuleContext& context, const Preset& preset);
  TapUse taps = TapUse::welcome;
};

const std::vector<FeedbackEntry>& feedback_entries() {
  using Ternary = TernaryFramesOptions;
  static const std::vector<FeedbackEntry> all = {
      {{"dfa", "direct feedback alignment"}},
      {{"dfa-ternary", "DFA of the error as two ternary frames"}, Ternary()},
      {{"odfa", "DFA of two ternary frames through an optical processing unit with 10 % of noise"},
       Ternary(),
       /*optical=*/true},
      {{"odfa-one-frame", "the same with one frame"}, Ternary().frames(1), /*optical=*/true},
      {{"odfa-absolute", "the same as published: one frame, threshold .1, without a gain"},
       Ternary().threshold(Threshold::absolute).level(0.1).frames(1).gain(false),
       /*optical=*/true},
  };
  return all;
}

std::shared_ptr<Rule> two_pass(const TwoPassForwardOptions& options) {
  return std::make_shared<TwoPassForward>(options);
}

std::vector<Entry> make_entries() {
  using Options = TwoPassForwardOptions;
  std::vector<Entry> all = {
      {{"bp", "back-propagation"},
       [](Options, const Preset&) -> std::shared_ptr<Rule> { return std::make_shared<BackPropagation>(); }},
      {{"tpfp", "two-pass forward propagation, as the network's preset sets it"},
       [](Options options, const Preset&) { return two_pass(options); }},
      {{"tpfp-random", "TPFP with F fixed random: transports nothing"},
       [](Options options, const Preset&) {
         return two_pass(options.feedback(Feedback::random).strength(1).gain(1));
       }},
      {{"tpfp-twin", "TPFP with F = W^H R, R fixed random: needs a layer's own twin"},
       [](Options options, const Preset&) { return two_pass(options.feedback(Feedback::twin).gain(0.3)); }},
      {{"tpfp-adjoint", "TPFP with F = W^H A^T: transports the read-out's weights, too"},
       [](Options options, const Preset&) { return two_pass(options.feedback(Feedback::adjoint).gain(1)); }},
      {{"quadrature", "three passes, F = W^H A^T"},
       [](Options options, const Preset&) {
         return two_pass(options.feedback(Feedback::adjoint).gain(1).signal(Signal::quadrature));
       },
       Readable::intensities},
      {{"quadrature-twin", "three passes, F = W^H R"},
       [](Options options, const Preset&) {
         return two_pass(options.feedback(Feedback::twin).gain(0.3).signal(Signal::quadrature));
       },
       Readable::intensities},
      {{"homodyne-random", "TPFP with the field read by homodyne detection, F fixed random"},
       [](Options options, const Preset&) {
         return two_pass(options.feedback(Feedback::random).strength(1).gain(1).signal(Signal::homodyne));
       },
       Readable::fields},
      {{"tpfp-field", "TPFP with the difference of the fields: a wrong direction, for comparison"},
       [](Options options, const Preset&) { return two_pass(options.signal(Signal::field)); },
       Readable::fields},
      {{"tpfp-sloped", "TPFP with the detector's slope counted twice: a wrong direction, for comparison"},
       [](Options options, const Preset&) { return two_pass(options.signal(Signal::sloped)); },
       Readable::fields},
      {{"tpfp-multi-point", "TPFP that enters at every hidden layer"},
       [](Options options, const Preset& preset) {
         const auto like_single = TwoPassForwardOptions(options).entrance(Entrance::inputs).gain(1);
         return two_pass(
             TwoPassForwardOptions(preset.multi_point.value_or(like_single)).seed(options.seed()));
       }},
      {{"tpfp-mirror", "TPFP with F learnt before training by weight mirroring"},
       [](Options options, const Preset&) { return two_pass(options.feedback(Feedback::mirror)); }},
      {{"modulated-input-bp",
        "what the code of arXiv 2408.08337 does: back-propagation at a modulated input"},
       [](Options options, const Preset&) {
         return two_pass(
             options.entrance(Entrance::single).modulated_input_backprop(true).strength(-1).gain(1));
       }},
      {{"shallow", "only the read-out"},
       [](Options, const Preset&) -> std::shared_ptr<Rule> { return std::make_shared<Shallow>(); }},
  };
  for (const auto& [rule, ternary, optical] : feedback_entries()) {
    all.push_back({rule, [name = rule.name](const Options& options, const Preset& preset) {
                     return std::make_shared<DirectFeedback>(feedback_options(name, preset, options.seed()));
                   }});
  }
  return all;
}

const std::vector<Entry>& entries() {
  static const auto all = make_entries();
  return all;
}

std::shared_ptr<Rule> dual_adaptive(Similarity similarity, const RuleContext& context, const Preset& preset) {
  const auto& [seed, epochs, steps, laboratory] = context;
  OPTOTORCH_CHECK(laboratory.correction != "none", .where = "optotorch", .argument = "--correction",
                  .expected = "one that learns, for dual adaptive training", .got = "'none'",
                  .remedy = "Use 'white-box', or the rule 'pat'");
  return std::make_shared<DualAdaptive>(DualAdaptiveOptions()
                                            .similarity(similarity)
                                            .compared_ports(laboratory.compared_ports)
                                            .rate(laboratory.correction_rate)
                                            .beta2(usual_beta2(laboratory.correction))
                                            .steps(epochs * steps)
                                            .schedule(preset.schedule(epochs, epochs * steps))
                                            .calibration_steps(laboratory.calibration * steps)
                                            .warm_up_steps(laboratory.warm_up * steps)
                                            .similarity_to_phases(laboratory.similarity_to_phases));
}

const std::vector<LaboratoryEntry>& laboratory_entries() {
  using Context = const RuleContext&;
  static const std::vector<LaboratoryEntry> all = {
      {{"in-silico",
        "back-propagation through the numerical model, which may be corrected; nothing is measured"},
       [](Context, const Preset&) -> std::shared_ptr<Rule> { return std::make_shared<InSilico>(); }},
      {{"pat", "physics-aware training, layer-wise"},
       [](Context, const Preset&) -> std::shared_ptr<Rule> { return std::make_shared<PhysicsAware>(); }},
      {{"pat-output", "physics-aware training that knows the measured output alone"},
       [](Context, const Preset&) -> std::shared_ptr<Rule> { return std::make_shared<PhysicsAware>(); },
       TapUse::unused},
      {{"at", "adaptive training: meshes are frozen one by one, those behind learn in silico"},
       [](Context context, const Preset&) -> std::shared_ptr<Rule> {
         constexpr int64_t stages = 2;  // of three meshes
         return std::make_shared<AdaptiveTraining>(
             std::max<int64_t>(1, context.epochs * context.steps_per_epoch / stages));
       },
       TapUse::needed},
      {{"dat-output", "dual adaptive training without internal states"},
       [](Context context, const Preset& preset) {
         return dual_adaptive(Similarity::output, context, preset);
       },
       TapUse::unused},
      {{"dat-unitary", "dual adaptive training with internal states"},
       [](Context context, const Preset& preset) {
         return dual_adaptive(Similarity::unitary, context, preset);
       },
       TapUse::needed},
      {{"dat-separable", "the same, every correction by itself"},
       [](Context context, const Preset& preset) {
         return dual_adaptive(Similarity::separable, context, preset);
       },
       TapUse::needed},
  };
  return all;
}

std::string in_words(Readable readable) {
  switch (readable) {
    case Readable::values:
      return "electronic values";
    case Readable::intensities:
      return "light";
    default:
      return "fields";
  }
}

}  // namespace

std::vector<RuleName> rule_descriptions() {
  std::vector<RuleName> descriptions;
  for (const auto& entry : entries()) {
    descriptions.push_back(entry.rule);
  }
  for (const auto& entry : laboratory_entries()) {
    descriptions.push_back(entry.rule);
  }
  return descriptions;
}

std::vector<std::string> rule_names() {
  return names_of(rule_descriptions());
}

TapUse tap_use_of(const std::string& rule) {
  for (const auto& entry : laboratory_entries()) {
    if (entry.rule.name == rule) {
      return entry.taps;
    }
  }
  return TapUse::unused;
}

DirectFeedbackOptions feedback_options(const std::string& rule, const Preset& preset, int64_t seed) {
  auto options = DirectFeedbackOptions(preset.direct).seed(seed);
  const auto& all = feedback_entries();
  const auto entry = std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.rule.name == rule; });
  if (entry == all.end()) {
    return options;
  }
  options.ternary(entry->ternary);
  if (entry->optical) {
    options.projector([seed](int64_t rows, int64_t columns) -> std::shared_ptr<Projector> {
      return std::make_shared<Opu>(OpuOptions(rows, columns).seed(seed));
    });
  }
  return options;
}

std::shared_ptr<Rule> make_rule(const std::string& name, const Preset& preset, const RuleContext& context) {
  for (const auto& entry : laboratory_entries()) {
    if (entry.rule.name == name) {
      OPTOTORCH_CHECK(preset.make_in != nullptr, .where = "optotorch", .argument = "--rule",
                      .expected = "a rule for a network that is simulated as a whole",
                      .got = "'" + name + "', which is for a laboratory",
                      .remedy = "Use 'bp', or the network 'mpnn-in-situ'");
      return entry.make(context, preset);
    }
  }
  for (const auto& entry : entries()) {
    if (entry.rule.name == name) {
      OPTOTORCH_CHECK(preset.make_in == nullptr, .where = "optotorch", .argument = "--rule",
                      .expected = "a rule for a laboratory, as 'pat' or 'dat-unitary'",
                      .got = "'" + name + "', which teaches component by component",
                      .remedy = "Meshes in a row behind one detector are one component");
      const auto& suited = preset.rules;
      OPTOTORCH_CHECK(suited.empty() || std::find(suited.begin(), suited.end(), name) != suited.end(),
                      .where = "optotorch", .argument = "--rule",
                      .expected = "one of '" + c10::Join("', '", suited) + "' for '" + preset.name + "'",
                      .got = "'" + name + "'");
      OPTOTORCH_CHECK(entry.needs <= preset.hidden, .where = "optotorch", .argument = "--rule",
                      .expected = "a rule for " + in_words(preset.hidden) + ", all that '" + preset.name +
                                  "' lets one read",
                      .got = "'" + name + "', which needs " + in_words(entry.needs),
                      .remedy = "Use 'tpfp', or another network");
      return entry.make(TwoPassForwardOptions(preset.two_pass).seed(context.seed), preset);
    }
  }
  reject_word("optotorch", "--rule", name, rule_names());
}

}  // namespace optotorch::tools
