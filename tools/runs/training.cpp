#include "runs/training.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>

#include <algorithm>
#include <cmath>

#include "runs/rules.h"
#include "runs/settings.h"
#include "runs/validators.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

/// The description of a transform in the section; empty if there is none.
std::string read_transform(const nlohmann::json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end()) {
    return "";
  }
  try {
    return transforms::describe_transform(*transforms::build_transform(found->dump()));
  } catch (const c10::ValueError& error) {
    reject({.where = where,
            .argument = std::string("training.") + name,
            .expected = "a description of a transform",
            .got = error.msg()});
  }
}

Laboratory read_laboratory(const nlohmann::json& object, const std::string& where) {
  const std::string place = "training.laboratory";
  require_object(object, place, where);
  Laboratory laboratory;
  JsonReader reader(object, place, 0, {}, where);
  each_laboratory_setting(laboratory, [&](const Setting& setting, auto& value) {
    reader(setting.name, value);
    if (object.contains(setting.name)) {
      check_range(setting, value);
    }
  });
  reader.expect_nothing_more();
  return laboratory;
}

void check_ranges(const Training& training, const std::string& where) {
  const auto within = [&](const char* name, auto value, auto least, auto most) {
    OPTOTORCH_CHECK(value >= least && value <= most, .where = where,
                    .argument = std::string("training.") + name, .expected = c10::str(least, " to ", most),
                    .got = c10::str(value));
  };
  constexpr int64_t million = 1'000'000;
  within("epochs", training.epochs, int64_t{1}, million);
  within("batch_size", training.batch_size, int64_t{1}, million);
  within("learning_rate", training.learning_rate, 1e-30, most_rate);
  within("electronic_rate", training.electronic_rate, 0.0, most_rate);
  within("beta2", training.beta2, 0.0, 0.999999999);
  within("shift", training.shift, int64_t{0}, int64_t{1024});
  within("threads", training.threads, int64_t{1}, int64_t{1024});
  within("context", training.context, int64_t{0}, million);
  within("steps", training.steps, int64_t{1}, 1000 * million);
}

}  // namespace

const std::vector<std::string>& words(Rates) {
  static const std::vector<std::string> all{"constant", "warm-cosine", "long-warm-cosine", "floored-cosine",
                                            "halved-every-ten-epochs"};
  return all;
}

void Training::fields(FieldVisitor& visit) {
  visit("dataset", dataset);
  visit("epochs", epochs);
  visit("batch_size", batch_size);
  visit("learning_rate", learning_rate);
  visit("electronic_rate", electronic_rate);
  visit("schedule", schedule);
  visit("beta2", beta2);
  visit("matmul", matmul);
  visit("shift", shift);
  visit("flip", flip);
  visit("threads", threads);
  visit("context", context);
  visit("steps", steps);
  visit("aligned_start", aligned_start);
  visit("only", only);
}

Schedule Training::make_schedule(int64_t total_epochs, int64_t total_steps) const {
  switch (schedule) {
    case Rates::constant:
      return constant_schedule();
    case Rates::warm_cosine:
      return cosine_schedule(static_cast<int64_t>(0.025 * static_cast<double>(total_steps)));
    case Rates::long_warm_cosine:
      return cosine_schedule(total_steps / 10);
    case Rates::floored_cosine:
      return [cosine = cosine_schedule()](int64_t step, int64_t total) {
        return std::max(0.02, cosine(step, total));
      };
    default:
      return [ten = std::max<int64_t>(1, 10 * total_steps / total_epochs)](int64_t step, int64_t) {
        return std::pow(0.5, static_cast<double>(step / ten));
      };
  }
}

Training read_training(const nlohmann::json& object, const std::string& where) {
  require_object(object, "training", where);
  Training training;
  JsonReader reader(object, "training", 0, {}, where);
  training.fields(reader);
  reader.known("rules");
  reader.known("transform");
  reader.known("test_transform");
  reader.known("laboratory");
  reader.expect_nothing_more();
  if (const auto rules = object.find("rules"); rules != object.end()) {
    require_object(*rules, "training.rules", where);
    for (const auto& [name, options] : rules->items()) {
      require_word(where, "training.rules", name, rule_names());
      check_rule_options(name, options, where);
      training.rules[name] = options;
    }
  }
  for (const auto& name : training.only) {
    require_word(where, "training.only", name, rule_names());
  }
  require_word(where, "training.matmul", training.matmul, matmul_words());
  if (const auto laboratory = object.find("laboratory"); laboratory != object.end()) {
    training.laboratory = read_laboratory(*laboratory, where);
  }
  training.transform = read_transform(object, "transform", where);
  training.test_transform = read_transform(object, "test_transform", where);
  check_ranges(training, where);
  return training;
}

}  // namespace optotorch::tools
