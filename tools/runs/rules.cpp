#include "runs/rules.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/trainers/rules/annealing.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/oracle.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/rules/zeroth_order.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "runs/training.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

using json = nlohmann::json;

/// Projector of an error.
enum class Projection {
  dense,  ///< a matrix in memory
  opu,    ///< a simulated optical processing unit, with 10 % of noise
};
const std::vector<std::string>& words(Projection) {
  static const std::vector<std::string> all{"dense", "opu"};
  return all;
}

struct NoOptions {
  void fields(FieldVisitor& visit) {}
};

struct FeedbackOptions {
  DirectFeedbackOptions direct;
  TernaryFramesOptions frames;
  bool ternary = false;
  Projection projector = Projection::dense;

  void fields(FieldVisitor& visit) {
    direct.fields(visit);
    visit("ternary", ternary);
    frames.fields(visit);
    visit("projector", projector);
  }
};

/// A number as the command line has it (.1 is one), true or false, or a word.
json value_of(const std::string& text) {
  if (const auto value = json::parse(text, nullptr, /*allow_exceptions=*/false);
      value.is_number() || value.is_boolean()) {
    return value;
  }
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(number) ? json(number) : json(text);
}

json object_of(const std::vector<std::string>& set) {
  auto object = json::object();
  for (const auto& item : set) {
    const auto sign = item.find('=');
    OPTOTORCH_CHECK(sign != std::string::npos && sign > 0, .where = "optotorch", .argument = "--set",
                    .expected = "KEY=VALUE", .got = "'" + item + "'", .remedy = "As --set feedback=twin");
    object[item.substr(0, sign)] = value_of(item.substr(sign + 1));
  }
  return object;
}

template <typename Options>
void read(Options& options, const json& object, const std::string& place,
          const std::string& where = "optotorch") {
  require_object(object, place, where);
  JsonReader reader(object, place, 0, {}, where);
  options.fields(reader);
  reader.expect_nothing_more();
}

template <typename Options>
Options options_of(const NamedRule& rule, const Training& training, const RuleContext& context) {
  Options options;
  const auto place = [](const std::string& name) { return "training.rules." + name; };
  const auto own = training.rules.find(rule.name), family = training.rules.find(rule.family);
  if (own != training.rules.end() && rule.name != rule.family) {
    read(options, own->second, place(rule.name));
  } else {
    if (family != training.rules.end()) {
      read(options, family->second, place(rule.family));
    }
    read(options, json::parse(rule.options), rule.name);
  }
  read(options, object_of(context.set), "--set");
  return options;
}

DirectFeedbackOptions complete(const FeedbackOptions& options, int64_t seed) {
  auto direct = DirectFeedbackOptions(options.direct).seed(seed);
  if (options.ternary) {
    direct.ternary(options.frames);
  }
  if (options.projector == Projection::opu) {
    direct.projector([seed](int64_t rows, int64_t columns) -> std::shared_ptr<Projector> {
      return std::make_shared<Opu>(OpuOptions(rows, columns).seed(seed));
    });
  }
  return direct;
}

using Make = std::shared_ptr<Rule> (*)(const NamedRule&, const Training&, const RuleContext&);

/// A rule without options but those of the laboratory.
template <typename Made>
std::shared_ptr<Rule> plain(const NamedRule& rule, const Training& training, const RuleContext& context) {
  options_of<NoOptions>(rule, training, context);
  return std::make_shared<Made>();
}

std::shared_ptr<Rule> two_pass(const NamedRule& rule, const Training& training, const RuleContext& context) {
  return std::make_shared<TwoPassForward>(
      options_of<TwoPassForwardOptions>(rule, training, context).seed(context.seed));
}

template <typename Made, typename Options>
std::shared_ptr<Rule> seeded(const NamedRule& rule, const Training& training, const RuleContext& context) {
  return std::make_shared<Made>(options_of<Options>(rule, training, context).seed(context.seed));
}

std::shared_ptr<Rule> direct_feedback(const NamedRule& rule, const Training& training,
                                      const RuleContext& context) {
  return std::make_shared<DirectFeedback>(feedback_options(rule, training, context));
}

std::shared_ptr<Rule> adaptive(const NamedRule& rule, const Training& training, const RuleContext& context) {
  options_of<NoOptions>(rule, training, context);
  const int64_t frozen = std::max<int64_t>(1, context.stages - 1);
  return std::make_shared<AdaptiveTraining>(
      std::max<int64_t>(1, context.epochs * context.steps_per_epoch / frozen));
}

template <Similarity similarity>
std::shared_ptr<Rule> dual_adaptive(const NamedRule& rule, const Training& training,
                                    const RuleContext& context) {
  options_of<NoOptions>(rule, training, context);
  const auto& laboratory = context.laboratory;
  OPTOTORCH_CHECK(laboratory.correction != "none", .where = "optotorch", .argument = "--correction",
                  .expected = "one that learns, for dual adaptive training", .got = "'none'",
                  .remedy = "Use 'white-box', or the rule 'pat'");
  const int64_t steps = context.steps_per_epoch;
  return std::make_shared<DualAdaptive>(
      DualAdaptiveOptions()
          .similarity(similarity)
          .compared(compared_of(laboratory))
          .compared_ports(laboratory.compared_ports)
          .rate(laboratory.correction_rate)
          .beta2(usual_beta2(laboratory.correction))
          .steps(context.epochs * steps)
          .schedule(training.make_schedule(context.epochs, context.epochs * steps))
          .calibration_steps(laboratory.calibration * steps)
          .warm_up_steps(laboratory.warm_up * steps)
          .similarity_to_phases(laboratory.similarity_to_phases));
}

struct Entry {
  NamedRule rule;
  Make make;
};

std::vector<Entry> make_entries() {
  using R = Readable;
  const auto tpfp = [](const char* name, const char* description, const char* options,
                       Readable needs = R::values) {
    return Entry{{name, description, "tpfp", options, needs}, two_pass};
  };
  const auto dfa = [](const char* name, const char* description, const char* options = "{}") {
    return Entry{{name, description, "dfa", options}, direct_feedback};
  };
  const auto measured = [](const char* name, const char* description, Monitors monitors, Corrects corrects,
                           Make make) {
    return Entry{{name, description, name, "{}", R::values, true, monitors, corrects}, make};
  };
  return {
      {{"bp", "back-propagation", "bp"}, plain<BackPropagation>},
      tpfp("tpfp", "two-pass forward propagation, as the network's file sets it", "{}"),
      tpfp("tpfp-random", "TPFP with F fixed random: transports nothing",
           R"({"feedback": "random", "strength": 1, "gain": 1})"),
      tpfp("tpfp-twin", "TPFP with F = W^H R, R fixed random: needs a layer's own twin",
           R"({"feedback": "twin", "gain": 0.3})"),
      tpfp("tpfp-adjoint", "TPFP with F = W^H A^T: transports the read-out's weights, too",
           R"({"feedback": "adjoint", "gain": 1})"),
      tpfp("quadrature", "three passes, F = W^H A^T",
           R"({"feedback": "adjoint", "gain": 1, "signal": "quadrature"})", R::intensities),
      tpfp("quadrature-twin", "three passes, F = W^H R",
           R"({"feedback": "twin", "gain": 0.3, "signal": "quadrature"})", R::intensities),
      tpfp("homodyne-random", "TPFP with the field read by homodyne detection, F fixed random",
           R"({"feedback": "random", "strength": 1, "gain": 1, "signal": "homodyne"})", R::fields),
      tpfp("tpfp-field", "TPFP with the difference of the fields: a wrong direction, for comparison",
           R"({"signal": "field"})", R::fields),
      tpfp("tpfp-sloped", "TPFP with the detector's slope counted twice: a wrong direction, for comparison",
           R"({"signal": "sloped"})", R::fields),
      tpfp("tpfp-multi-point", "TPFP that enters at every hidden layer",
           R"({"entrance": "inputs", "gain": 1})"),
      tpfp("tpfp-mirror", "TPFP with F learnt before training by weight mirroring",
           R"({"feedback": "mirror"})"),
      tpfp("modulated-input-bp",
           "what the code of arXiv 2408.08337 does: back-propagation at a modulated input",
           R"({"entrance": "single", "modulated_input_backprop": true, "strength": -1, "gain": 1})"),
      {{"shallow", "only the read-out", "shallow"}, plain<Shallow>},
      dfa("dfa", "direct feedback alignment"),
      dfa("dfa-ternary", "DFA of the error as two ternary frames", R"({"ternary": true})"),
      dfa("odfa", "DFA of two ternary frames through an optical processing unit with 10 % of noise",
          R"({"ternary": true, "projector": "opu"})"),
      dfa("odfa-one-frame", "the same with one frame",
          R"({"ternary": true, "frames": 1, "projector": "opu"})"),
      dfa("odfa-absolute", "the same as published: one frame, threshold .1, without a gain",
          R"({"ternary": true, "threshold": "absolute", "level": 0.1, "frames": 1, "gain": false,
              "projector": "opu"})"),
      {{"annealing", "annealed search for the weights of a discrete read-out, by measured outputs alone",
        "annealing"},
       seeded<Annealing, AnnealingOptions>},
      {{"zeroth-order", "gradients from measured losses at perturbed parameters; the read-out exactly",
        "zeroth-order"},
       seeded<ZerothOrder, ZerothOrderOptions>},
      {{"zeroth-order-coordinates", "the same, ten parameters a step, one after the other", "zeroth-order",
        R"({"method": "coordinates", "coordinates": 10})"},
       seeded<ZerothOrder, ZerothOrderOptions>},
      measured("in-silico",
               "back-propagation through the numerical model, which may be corrected; nothing is measured",
               Monitors::welcome, Corrects::identified, plain<InSilico>),
      measured("oracle",
               "back-propagation through a simulated system itself (--simulation fine): a yardstick",
               Monitors::unused, Corrects::nothing, plain<Oracle>),
      measured("pat", "physics-aware training, layer-wise", Monitors::welcome, Corrects::as_told,
               plain<PhysicsAware>),
      measured("pat-output", "physics-aware training that knows the measured output alone", Monitors::unused,
               Corrects::as_told, plain<PhysicsAware>),
      measured("at", "adaptive training: stages are frozen one by one, those behind learn in silico",
               Monitors::needed, Corrects::nothing, adaptive),
      measured("dat-output", "dual adaptive training without internal states", Monitors::unused,
               Corrects::always, dual_adaptive<Similarity::output>),
      measured("dat-unitary", "dual adaptive training with internal states", Monitors::needed,
               Corrects::always, dual_adaptive<Similarity::unitary>),
      measured("dat-separable", "the same, every correction by itself", Monitors::needed, Corrects::always,
               dual_adaptive<Similarity::separable>),
  };
}

const std::vector<Entry>& entries() {
  static const auto all = make_entries();
  return all;
}

Make maker_of(const NamedRule& rule) {
  for (const auto& entry : entries()) {
    if (entry.rule.name == rule.name) {
      return entry.make;
    }
  }
  return nullptr;
}

}  // namespace

const std::vector<NamedRule>& named_rules() {
  static const auto all = [] {
    std::vector<NamedRule> rules;
    for (const auto& entry : entries()) {
      rules.push_back(entry.rule);
    }
    return rules;
  }();
  return all;
}

std::vector<std::string> rule_names() {
  return names_of(named_rules());
}

const NamedRule& find_rule(const std::string& name) {
  return find_by_name("optotorch", "--rule", named_rules(), name);
}

std::shared_ptr<Rule> make_rule(const NamedRule& rule, const Training& training, const RuleContext& context) {
  return maker_of(rule)(rule, training, context);
}

void check_rule_options(const std::string& name, const json& options, const std::string& where) {
  Training training;
  training.rules[name] = options;
  RuleContext context;
  context.laboratory.correction = "white-box";
  context.laboratory.correction_rate = 1;
  try {
    make_rule(find_rule(name), training, context);
  } catch (const c10::Error& error) {
    reject({.where = where,
            .argument = "training.rules." + name,
            .expected = "options of the rule",
            .got = error.what_without_backtrace()});
  }
}

DirectFeedbackOptions feedback_options(const NamedRule& rule, const Training& training,
                                       const RuleContext& context) {
  const auto& dfa = find_rule("dfa");
  const bool is_dfa = rule.family == dfa.family;
  auto wanted = context;
  if (!is_dfa) {
    wanted.set.clear();
  }
  return complete(options_of<FeedbackOptions>(is_dfa ? rule : dfa, training, wanted), context.seed);
}

}  // namespace optotorch::tools
