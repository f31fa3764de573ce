#include "runs/run_config.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <sys/un.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "runs/run_data.h"
#include "runs/settings.h"
#include "runs/versions.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;
using ordered_json = nlohmann::ordered_json;

std::string config_path(const std::string& folder) {
  return folder + "/config.json";
}

std::string network_path(const std::string& folder) {
  return folder + "/network.json";
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Settings if nothing is said.
std::map<std::string, ordered_json> defaults() {
  std::map<std::string, ordered_json> usual;
  const RunConfig plain;
  each_setting(plain, [&](const Setting& setting, const auto& value) { usual[setting.name] = value; });
  return usual;
}

std::set<std::string> all_options() {
  std::set<std::string> options;
  const RunConfig plain;
  each_setting(plain, [&](const Setting& setting, const auto&) {
    if (setting.option != nullptr) {
      options.insert(setting.option);
    }
  });
  return options;
}

/// The first option of a laboratory that was said; nullptr: none.
const char* laboratory_option(const Laboratory& laboratory) {
  const auto usual = defaults();
  const char* first = nullptr;
  each_laboratory_setting(laboratory, [&](const Setting& setting, const auto& value) {
    if (first == nullptr && usual.at(setting.name) != ordered_json(value)) {
      first = setting.option;
    }
  });
  return first;
}

/// The settings with those that were not said: the network's, or the rule's usual ones.
Laboratory complete(Laboratory said, const Training& training, const NamedRule& rule, int64_t epochs,
                    const std::set<std::string>& given) {
  const Laboratory plain;
  auto usual = training.laboratory.value_or(plain);
  const bool keeps = rule.corrects == Corrects::always || rule.corrects == Corrects::as_told ||
                     (rule.corrects == Corrects::identified && said.identify > 0);
  if (!keeps || usual.correction.empty()) {
    // A correction that learns nothing would be a random map.
    usual.correction = rule.corrects == Corrects::always ? "white-box" : "none";
  }
  if (usual.calibration < 0) {
    // In a single epoch the stages would learn nothing.
    usual.calibration = rule.corrects == Corrects::always && epochs > 1 ? 1 : 0;
  }
  usual.warm_up = std::max<int64_t>(usual.warm_up, 0);
  usual.compared_ports = std::max<int64_t>(usual.compared_ports, 0);
  usual.compared = usual.compared.empty() ? "intensities" : usual.compared;
  usual.fusion = usual.fusion.empty() ? "propagate" : usual.fusion;
  std::map<std::string, ordered_json> others;
  each_laboratory_setting(usual,
                          [&](const Setting& setting, const auto& value) { others[setting.name] = value; });
  const auto nothing_said = defaults();
  each_laboratory_setting(said, [&](const Setting& setting, auto& value) {
    if (!given.contains(setting.option) && nothing_said.at(setting.name) == ordered_json(value)) {
      others.at(setting.name).get_to(value);
    }
  });
  if (said.correction_rate < 0) {
    said.correction_rate = usual_rate(said.correction);
  }
  return said;
}

/// Images for a network of images, a text for one of characters.
void require_fitting_data(const RunConfig& config, const Training& training) {
  const auto images = image_data_names();
  if (!training.learns_text()) {
    require_word("optotorch", "--dataset", config.dataset, images);
    return;
  }
  OPTOTORCH_CHECK(std::find(images.begin(), images.end(), config.dataset) == images.end(),
                  .where = "optotorch", .argument = "--dataset",
                  .expected = "a text for '" + config.network + "': 'tinyshakespeare', or a file",
                  .got = "'" + config.dataset + "', which is images");
}

/// The description that is said, or in the file that is said; otherwise the network's.
std::string resolved_transform(const std::string& said, const std::string& usual, const char* option) {
  if (said.empty()) {
    return usual;
  }
  const bool is_text = said.front() == '[' || said.front() == '{';
  try {
    const auto text = is_text ? said : open_regular_file(said, "optotorch").rest();
    return transforms::describe_transform(*transforms::build_transform(text));
  } catch (const c10::ValueError& error) {
    reject({.where = "optotorch",
            .argument = option,
            .expected = "transforms as JSON, or a file of it",
            .got = error.msg()});
  }
}

/// Rules that teach component by component, and those for whole laboratories.
void require_suited(const Run& run) {
  const auto& only = run.training().only;
  const auto& name = run.rule->name;
  OPTOTORCH_CHECK(
      run.rule->for_laboratory || only.empty() || std::find(only.begin(), only.end(), name) != only.end(),
      .where = "optotorch", .argument = "--rule",
      .expected = "one of '" + c10::Join("', '", only) + "' for '" + run.network.name + "'",
      .got = "'" + name + "'");
}

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto whole = fs::absolute(path, error).lexically_normal();
  if (path.empty() || error) {
    return path;
  }
  return whole.has_filename() ? whole : whole.parent_path();  // "data/" is "data"
}

/// Places that mean the same in every folder.
RunConfig with_absolute_paths(RunConfig config, const Training& training) {
  const auto names = dataset_names();
  if (training.learns_text() && std::find(names.begin(), names.end(), config.dataset) == names.end()) {
    config.dataset = absolute(config.dataset);
  }
  config.network = is_path(config.network) ? absolute(config.network) : config.network;
  config.data_root = absolute(config.data_root);
  config.start = absolute(config.start);
  std::vector<std::string> errors;
  for (const auto& folder : split_at_commas(config.laboratory.errors)) {
    errors.push_back(absolute(folder));
  }
  config.laboratory.errors = c10::Join(",", errors);
  auto& instrument = config.laboratory.instrument;
  const std::string local = "unix:";
  if (instrument.starts_with(local)) {
    const auto place = absolute(instrument.substr(local.size()));
    constexpr size_t longest = sizeof(sockaddr_un::sun_path) - 1;
    instrument = place.size() <= longest ? local + place : instrument;
  }
  return config;
}

/// config.json holds Unicode alone.
void require_unicode(const RunConfig& config) {
  each_setting(config, [](const Setting& setting, const auto& value) {
    try {
      ordered_json(value).dump();
    } catch (const ordered_json::exception&) {
      reject({.where = "optotorch",
              .argument = setting.option != nullptr ? setting.option : setting.name,
              .expected = "a text in UTF-8, which config.json can hold",
              .got = "other bytes",
              .remedy = "Give the file or folder another name, or a link with one"});
    }
  });
}

ordered_json settings(const RunConfig& config) {
  ordered_json result;
  each_setting(config, [&](const Setting& setting, const auto& value) { result[setting.name] = value; });
  return result;
}

}  // namespace

Run resolve(const RunConfig& config, const std::set<std::string>& given) {
  require_unicode(config);
  return resolve(config, find_network(config.network), given);
}

Run resolve(RunConfig config, Network network, const std::set<std::string>& given) {
  require_unicode(config);
  Run run{.config = {}, .network = std::move(network), .rule = &find_rule(config.rule)};
  const auto& training = run.training();
  config.dataset = config.dataset.empty() ? training.dataset : config.dataset;
  require_fitting_data(config, training);
  config.transform = resolved_transform(config.transform, training.transform, "--transform");
  config.test_transform =
      resolved_transform(config.test_transform, training.test_transform, "--test-transform");
  config = with_absolute_paths(std::move(config), training);
  run.in_laboratory = training.laboratory.has_value() || run.rule->for_laboratory ||
                      laboratory_option(config.laboratory) != nullptr;
  config.epochs = config.epochs == 0 ? training.epochs : config.epochs;
  if (run.in_laboratory) {
    config.laboratory = complete(config.laboratory, training, *run.rule, config.epochs, given);
    check(config.laboratory, run.rule->name);
  }
  require_suited(run);
  make_rule(*run.rule, training, {.set = config.set, .seed = config.seed, .laboratory = config.laboratory});
  config.batch_size = config.batch_size == 0 ? training.batch_size : config.batch_size;
  if (config.learning_rate == 0) {
    config.learning_rate = run.in_laboratory
                               ? usual_phase_rate(config.laboratory.correction, training.learning_rate)
                               : training.learning_rate;
  }
  config.matmul = config.matmul.empty() ? training.matmul : config.matmul;
  require_word("optotorch", "--matmul", config.matmul, matmul_words());
  config.threads = config.threads == 0 ? training.threads : config.threads;
  OPTOTORCH_CHECK(std::isfinite(config.validation) && config.validation >= 0, .where = "optotorch",
                  .argument = "--validation", .expected = "a fraction below 1, a number of images, or 0",
                  .got = c10::str(config.validation));
  each_setting(config, [&](const Setting& setting, const auto& value) {
    if (*setting.group == '\0') {  // a laboratory has been checked, where there is one
      check_range(setting, value);
    }
  });
  run.config = std::move(config);
  return run;
}

void use_settings(const RunConfig& config) {
  at::set_num_threads(static_cast<int>(config.threads));
  // An older processor, which does not know "medium", takes the highest.
  at::globalContext().setFloat32MatmulPrecision(config.matmul);
}

void save_run(const Run& run, const std::string& folder) {
  write_text_atomically(network_path(folder), run.network.text);
  ordered_json object = settings(run.config);
  object["versions"] = versions();
  write_text_atomically(config_path(folder), object.dump(2) + "\n");
}

Run load_run(const std::string& folder) {
  const std::string path = config_path(folder);
  OPTOTORCH_CHECK(exists(path), .where = "optotorch", .argument = "RUN",
                  .expected = "a folder with config.json", .got = folder,
                  .remedy = "optotorch train --out RUN makes one");
  const auto damaged = [&path](const std::string& why) {
    reject({.where = "optotorch",
            .argument = path,
            .expected = "a run's configuration",
            .got = why,
            .remedy = "The file is damaged"});
  };
  auto object = load_json(path, "optotorch", path, "a run's configuration", "The file is damaged");
  // Version 0.1.0 and before: networks were of the program, and called models.
  const bool is_older = object.is_object() && object.contains("model") && !object.contains("network");
  RunConfig config;
  try {
    if (is_older) {
      object["network"] = object["model"];
      object["input"] = {1, 28, 28};
    }
    if (!object.contains("simulation") &&
        object.contains("device")) {  // its name before a network could train elsewhere
      object["simulation"] = object["device"];
      object.erase("device");
    }
    static const std::set<std::string> always{"dataset", "data_root",     "network",    "rule",
                                              "epochs",  "batch_size",    "validation", "seed",
                                              "threads", "learning_rate", "classes"};
    each_setting(config, [&](const Setting& setting, auto& value) {
      if (object.contains(setting.name) || always.contains(setting.name)) {
        object.at(setting.name).get_to(value);
      }
    });
  } catch (const nlohmann::json::exception& error) {
    damaged(json_complaint(error));
  }
  OPTOTORCH_CHECK(!is_older || config.network != "mnist-in-situ", .where = "optotorch", .argument = path,
                  .expected = "a run whose chip is drawn by --chip-seed",
                  .got = "one of 'mnist-in-situ' by an older version, which drew its chip otherwise",
                  .remedy = "Train it anew");
  config.matmul = config.matmul.empty() ? "highest" : config.matmul;  // older runs had no other
  try {
    return is_older ? resolve(config, all_options())
                    : resolve(config, read_network(network_path(folder), config.network), all_options());
  } catch (const c10::ValueError& error) {
    damaged(error.msg());
    throw;
  }
}

RunConfig load_config(const std::string& folder) {
  return load_run(folder).config;
}

bool holds_config(const std::string& folder) {
  return exists(config_path(folder));
}

Run continued(RunConfig said, const std::set<std::string>& given, const std::string& folder) {
  auto run = load_run(folder);
  auto& config = run.config;
  require_unicode(said);
  said = with_absolute_paths(std::move(said), run.training());
  const ordered_json before = settings(config);
  // Where it is measured, and how patiently, decides nothing; whether it is measured does.
  static const std::set<std::string> may_change{"epochs", "data_root", "retries",   "workers",
                                                "device", "reconnect", "instrument"};
  const bool is_remote = !config.laboratory.instrument.empty() && !said.laboratory.instrument.empty();
  ordered_json changed;
  each_setting(said, [&](const Setting& setting, const auto& value) {
    const std::string name = setting.name;
    if (setting.option == nullptr || !given.contains(setting.option)) {
      return;
    }
    const bool may = may_change.contains(name) && (name != "instrument" || is_remote);
    OPTOTORCH_CHECK(may || before.at(name) == ordered_json(value), .where = "optotorch",
                    .argument = setting.option,
                    .expected = before.at(name).dump() + ", the " + name + " in " + config_path(folder),
                    .got = ordered_json(value).dump(), .remedy = "Leave it out, or begin another run");
    changed[name] = value;
  });
  OPTOTORCH_CHECK(!given.contains("--epochs") || said.epochs >= config.epochs, .where = "optotorch",
                  .argument = "--epochs",
                  .expected = c10::str("at least ", config.epochs, ", as in ", config_path(folder)),
                  .got = std::to_string(said.epochs), .remedy = "A run can be made longer, and not shorter");
  each_setting(config, [&](const Setting& setting, auto& value) {
    if (changed.contains(setting.name)) {
      changed.at(setting.name).get_to(value);
    }
  });
  return resolve(config, run.network, all_options());
}

std::vector<std::string> train_arguments(const RunConfig& config) {
  std::vector<std::string> arguments{"train"};
  auto usual = defaults();
  each_setting(config, [&](const Setting& setting, const auto& value) {
    if (setting.option == nullptr || usual[setting.name] == ordered_json(value)) {
      return;
    }
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
      for (const auto& one : value) {
        arguments.insert(arguments.end(), {setting.option, one});
      }
    } else if constexpr (std::is_same_v<Value, std::string>) {
      arguments.insert(arguments.end(), {setting.option, value});
    } else {
      // The shortest digits that mean this very number.
      arguments.insert(arguments.end(), {setting.option, ordered_json(value).dump()});
    }
  });
  return arguments;
}

bool is_same(const RunConfig& a, const RunConfig& b) {
  return settings(a) == settings(b);
}

void require_same_run(const RunConfig& config, const std::string& folder) {
  const ordered_json before = settings(load_config(folder)), now = settings(config);
  for (const auto& [name, value] : now.items()) {
    OPTOTORCH_CHECK(before.at(name) == value || name == "data_root", .where = "optotorch", .argument = name,
                    .expected = before.at(name).dump() + ", as the run in " + folder + " began with",
                    .got = value.dump(), .remedy = "Resume with the same options, or begin another run");
  }
}

}  // namespace optotorch::tools
