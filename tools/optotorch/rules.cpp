#include "optotorch/rules.h"

#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/shallow.h>

namespace optotorch::tools {
namespace {

struct Entry {
  RuleName rule;
  std::shared_ptr<Rule> (*make)(TwoPassForwardOptions two_pass, const Preset& preset);
  Readable needs = Readable::values;  ///< at a hidden component
};

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
         return two_pass(options.entrance(Entrance::single).modulated_input_backprop(true));
       }},
      {{"dfa", "direct feedback alignment"},
       [](Options options, const Preset&) -> std::shared_ptr<Rule> {
         return std::make_shared<DirectFeedback>(DirectFeedbackOptions().seed(options.seed()));
       }},
      {{"shallow", "only the read-out"},
       [](Options, const Preset&) -> std::shared_ptr<Rule> { return std::make_shared<Shallow>(); }},
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
  return descriptions;
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const auto& entry : entries()) {
    names.push_back(entry.rule.name);
  }
  return names;
}

std::shared_ptr<Rule> make_rule(const std::string& name, const Preset& preset, int64_t seed) {
  for (const auto& entry : entries()) {
    if (entry.rule.name == name) {
      OPTOTORCH_CHECK(entry.needs <= preset.hidden, .where = "optotorch", .argument = "--rule",
                      .expected = "a rule for " + in_words(preset.hidden) + ", all that '" + preset.name +
                                  "' lets one read",
                      .got = "'" + name + "', which needs " + in_words(entry.needs),
                      .remedy = "Use 'tpfp', or another network");
      return entry.make(TwoPassForwardOptions(preset.two_pass).seed(seed), preset);
    }
  }
  reject({.where = "optotorch",
          .argument = "--rule",
          .expected = "one of " + c10::Join(", ", rule_names()),
          .got = "'" + name + "'",
          .remedy = "The nearest is '" + nearest_name(name, rule_names()) + "'"});
}

}  // namespace optotorch::tools
