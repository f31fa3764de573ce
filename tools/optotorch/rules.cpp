#include "optotorch/rules.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/opu.h>
#include <optotorch/trainers/rules/adaptive_training.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/dual_adaptive.h>
#include <optotorch/trainers/rules/physics_aware.h>
#include <optotorch/trainers/rules/shallow.h>

#include <algorithm>

#include "optotorch/words.h"

namespace optotorch::tools {
namespace {

struct Entry {
  RuleName rule;
  std::shared_ptr<Rule> (*make)(TwoPassForwardOptions two_pass, const Preset& preset);
  Readable needs = Readable::values;  ///< at a hidden component
};

/// A rule for a laboratory.
struct LaboratoryEntry {
  RuleName rule;
  std::shared_ptr<Rule> (*make)(const RuleContext& context, const Preset& preset);
  Taps taps = Taps::welcome;
};

std::shared_ptr<Rule> direct(const std::string& name, int64_t seed, const Preset& preset) {
  return std::make_shared<DirectFeedback>(feedback_options(name, preset, seed));
}

std::shared_ptr<Rule> two_pass(const TwoPassForwardOptions& options) {
  return std::make_shared<TwoPassForward>(options);
}

const std::vector<Entry>& entries() {
  using Options = TwoPassForwardOptions;
  static const std::vector<Entry> all = {
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
      {{"dfa", "direct feedback alignment"},
       [](Options options, const Preset& preset) { return direct("dfa", options.seed(), preset); }},
      {{"dfa-ternary", "DFA of the error as two ternary frames"},
       [](Options options, const Preset& preset) { return direct("dfa-ternary", options.seed(), preset); }},
      {{"odfa", "DFA of two ternary frames through an optical processing unit with 10 % of noise"},
       [](Options options, const Preset& preset) { return direct("odfa", options.seed(), preset); }},
      {{"odfa-one-frame", "the same with one frame"},
       [](Options options, const Preset& preset) {
         return direct("odfa-one-frame", options.seed(), preset);
       }},
      {{"odfa-absolute", "the same as published: one frame, threshold .1, without a gain"},
       [](Options options, const Preset& preset) { return direct("odfa-absolute", options.seed(), preset); }},
      {{"shallow", "only the read-out"},
       [](Options, const Preset&) -> std::shared_ptr<Rule> { return std::make_shared<Shallow>(); }},
  };
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
       Taps::unused},
      {{"at", "adaptive training: meshes are frozen one by one, those behind learn in silico"},
       [](Context context, const Preset&) -> std::shared_ptr<Rule> {
         constexpr int64_t stages = 2;  // of three meshes
         return std::make_shared<AdaptiveTraining>(
             std::max<int64_t>(1, context.epochs * context.steps_per_epoch / stages));
       },
       Taps::needed},
      {{"dat-output", "dual adaptive training without internal states"},
       [](Context context, const Preset& preset) {
         return dual_adaptive(Similarity::output, context, preset);
       },
       Taps::unused},
      {{"dat-unitary", "dual adaptive training with internal states"},
       [](Context context, const Preset& preset) {
         return dual_adaptive(Similarity::unitary, context, preset);
       },
       Taps::needed},
      {{"dat-separable", "the same, every correction by itself"},
       [](Context context, const Preset& preset) {
         return dual_adaptive(Similarity::separable, context, preset);
       },
       Taps::needed},
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

Taps taps_of(const std::string& rule) {
  for (const auto& entry : laboratory_entries()) {
    if (entry.rule.name == rule) {
      return entry.taps;
    }
  }
  return Taps::unused;
}

DirectFeedbackOptions feedback_options(const std::string& rule, const Preset& preset, int64_t seed) {
  auto options = DirectFeedbackOptions(preset.direct).seed(seed);
  if (rule == "dfa-ternary" || rule == "odfa") {
    options.ternary(TernaryFramesOptions());
  } else if (rule == "odfa-one-frame") {
    options.ternary(TernaryFramesOptions().frames(1));
  } else if (rule == "odfa-absolute") {
    options.ternary(TernaryFramesOptions().threshold(Threshold::absolute).level(0.1).frames(1).gain(false));
  }
  if (rule.starts_with("odfa")) {
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
                      .got = "'" + name + "'", .remedy = "");
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
