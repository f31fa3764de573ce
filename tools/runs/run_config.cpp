#include "runs/run_config.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <sys/un.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "runs/presets.h"
#include "runs/rules.h"
#include "runs/run_data.h"
#include "runs/validators.h"
#include "runs/versions.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

std::string config_path(const std::string& folder) {
  return folder + "/config.json";
}

/// Calls visit(name in config.json, option of `train`, value) for every setting: the one list of them.
template <typename Config, typename Visit>
void each_setting(Config& config, Visit visit) {
  visit("dataset", "--dataset", config.dataset);
  visit("data_root", "--data-root", config.data_root);
  visit("model", "--model", config.model);
  visit("rule", "--rule", config.rule);
  visit("epochs", "--epochs", config.epochs);
  visit("batch_size", "--batch-size", config.batch_size);
  visit("learning_rate", "--lr", config.learning_rate);
  visit("validation", "--validation", config.validation);
  visit("seed", "--seed", config.seed);
  visit("threads", "--threads", config.threads);
  visit("classes", nullptr, config.classes);
  visit("samples", "--samples", config.samples);
  visit("matmul", "--matmul", config.matmul);
  visit("start", "--start", config.start);
  auto& laboratory = config.laboratory;
  visit("instrument", "--instrument", laboratory.instrument);
  visit("retries", "--retries", laboratory.retries);
  visit("reconnect", "--reconnect", laboratory.reconnect);
  visit("errors", "--errors", laboratory.errors);
  visit("splitter", "--splitter", laboratory.splitter);
  visit("phase", "--phase", laboratory.phase);
  visit("loss_db", "--loss-db", laboratory.loss_db);
  visit("crosstalk", "--crosstalk", laboratory.crosstalk);
  visit("phase_bits", "--phase-bits", laboratory.phase_bits);
  visit("relative_noise", "--relative-noise", laboratory.relative_noise);
  visit("additive_noise", "--additive-noise", laboratory.additive_noise);
  visit("chip_seed", "--chip-seed", laboratory.chip_seed);
  visit("correction", "--correction", laboratory.correction);
  visit("correction_rate", "--correction-lr", laboratory.correction_rate);
  visit("calibration", "--calibration", laboratory.calibration);
  visit("warm_up", "--warm-up", laboratory.warm_up);
  visit("compared_ports", "--compared-ports", laboratory.compared_ports);
  visit("fusion", "--fusion", laboratory.fusion);
  visit("similarity_to_phases", "--similarity-to-phases", laboratory.similarity_to_phases);
  visit("identify", "--identify", laboratory.identify);
}

// Settings that older runs have, all of them.
bool is_early(const std::string& name) {
  static const std::set<std::string> early = {"dataset", "data_root",  "model",         "rule",
                                              "epochs",  "batch_size", "learning_rate", "validation",
                                              "seed",    "threads",    "classes"};
  return early.contains(name);
}

/// The preset's values where the user said nothing.
Laboratory complete(Laboratory laboratory, const Preset& preset, const std::string& rule) {
  auto usual = preset.laboratory;
  if ((rule == "in-silico" && laboratory.identify == 0) || rule == "at") {
    usual.correction = "none";  // what learns nothing would be a random map
  }
  const auto number = [](auto& value, auto otherwise) { value = value < 0 ? otherwise : value; };
  const auto text = [](std::string& value, const std::string& otherwise) {
    value = value.empty() ? otherwise : value;
  };
  text(laboratory.correction, usual.correction);
  number(laboratory.correction_rate, usual_rate(laboratory.correction));
  number(laboratory.calibration, usual.calibration);
  number(laboratory.warm_up, usual.warm_up);
  number(laboratory.compared_ports, usual.compared_ports);
  text(laboratory.fusion, usual.fusion);
  return laboratory;
}

/// What a setting is if nothing is said.
std::map<std::string, json> defaults() {
  std::map<std::string, json> usual;
  const RunConfig plain;
  each_setting(plain, [&](const char* name, const char*, const auto& value) { usual[name] = value; });
  return usual;
}

/// Without a laboratory none of its settings has a meaning.
void require_no_laboratory(const RunConfig& config) {
  auto usual = defaults();
  each_setting(config, [&](const char* name, const char* option, const auto& value) {
    OPTOTORCH_CHECK(is_early(name) || std::string(name) == "samples" || std::string(name) == "start" ||
                        std::string(name) == "matmul" || usual[name] == json(value),
                    .where = "optotorch", .argument = option,
                    .expected = "none for '" + config.model + "', which is simulated as a whole",
                    .got = json(value).dump(), .remedy = "The network 'mpnn-in-situ' is in a laboratory");
  });
}

/// Images for a network of images, a text for one of characters.
void require_fitting_data(const RunConfig& config, const Preset& preset) {
  const auto images = image_set_names();
  if (!preset.text) {
    require_word("optotorch", "--dataset", config.dataset, images);
    return;
  }
  OPTOTORCH_CHECK(std::find(images.begin(), images.end(), config.dataset) == images.end(),
                  .where = "optotorch", .argument = "--dataset",
                  .expected = "a text for '" + config.model + "': 'tinyshakespeare', or a file",
                  .got = "'" + config.dataset + "', which is images");
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
RunConfig with_absolute_paths(RunConfig config, const Preset& preset) {
  const auto names = dataset_names();
  if (preset.text && std::find(names.begin(), names.end(), config.dataset) == names.end()) {
    config.dataset = absolute(config.dataset);
  }
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
  each_setting(config, [](const char*, const char* option, const auto& value) {
    try {
      json(value).dump();
    } catch (const json::exception&) {
      reject({.where = "optotorch",
              .argument = option,
              .expected = "a text in UTF-8, which config.json can hold",
              .got = "other bytes",
              .remedy = "Give the file or folder another name, or a link with one"});
    }
  });
}

json settings(const RunConfig& config) {
  json result;
  each_setting(config, [&](const char* name, const char*, const auto& value) { result[name] = value; });
  return result;
}

}  // namespace

RunConfig resolve(RunConfig config) {
  require_unicode(config);
  const auto& preset = find_preset(config.model);
  config.dataset = config.dataset.empty() ? preset.dataset : config.dataset;
  require_fitting_data(config, preset);
  config = with_absolute_paths(std::move(config), preset);
  if (preset.make_in == nullptr) {
    require_no_laboratory(config);
  } else {
    config.laboratory = complete(config.laboratory, preset, config.rule);
    check(config.laboratory);
  }
  make_rule(config.rule, preset, {.seed = config.seed, .laboratory = config.laboratory});
  const auto whole = [](const char* argument, int64_t value, int64_t least, int64_t most) {
    OPTOTORCH_CHECK(value >= least && value <= most, .where = "optotorch", .argument = argument,
                    .expected = c10::str(least, " to ", most), .got = std::to_string(value));
  };
  config.epochs = config.epochs == 0 ? preset.epochs : config.epochs;
  config.batch_size = config.batch_size == 0 ? preset.batch_size : config.batch_size;
  if (config.learning_rate == 0) {
    config.learning_rate = preset.make_in == nullptr
                               ? preset.learning_rate
                               : usual_phase_rate(config.laboratory.correction, preset.learning_rate);
  }
  config.matmul = config.matmul.empty() ? preset.matmul : config.matmul;
  require_word("optotorch", "--matmul", config.matmul, {"highest", "high", "medium"});
  config.threads = config.threads == 0 ? preset.threads : config.threads;
  whole("--epochs", config.epochs, 1, 1'000'000);
  whole("--batch-size", config.batch_size, 1, 1'000'000);
  whole("--samples", config.samples, 0, 1'000'000'000);
  whole("--threads", config.threads, 1, 1024);
  OPTOTORCH_CHECK(config.learning_rate > 0 && config.learning_rate <= most_rate, .where = "optotorch",
                  .argument = "--lr", .expected = c10::str("a learning rate above 0 and at most ", most_rate),
                  .got = c10::str(config.learning_rate));
  OPTOTORCH_CHECK(std::isfinite(config.validation) && config.validation >= 0, .where = "optotorch",
                  .argument = "--validation", .expected = "a fraction below 1, a number of images, or 0",
                  .got = c10::str(config.validation));
  return config;
}

void use_settings(const RunConfig& config) {
  at::set_num_threads(static_cast<int>(config.threads));
  // What does not know "medium", an older processor, takes the highest.
  at::globalContext().setFloat32MatmulPrecision(config.matmul);
}

void save_config(const RunConfig& config, const std::string& folder) {
  json object = settings(config);
  object["versions"] = versions();
  write_text_atomically(config_path(folder), object.dump(2) + "\n");
}

RunConfig load_config(const std::string& folder) {
  const std::string path = config_path(folder);
  std::error_code ignored;
  OPTOTORCH_CHECK(std::filesystem::exists(path, ignored), .where = "optotorch", .argument = "RUN",
                  .expected = "a folder with config.json", .got = folder,
                  .remedy = "optotorch train --out RUN makes one");
  const auto damaged = [&path](const std::string& why) {
    reject({.where = "optotorch",
            .argument = path,
            .expected = "a run's configuration",
            .got = why,
            .remedy = "The file is damaged"});
  };
  const nlohmann::json object =
      load_json(path, "optotorch", path, "a run's configuration", "The file is damaged");
  RunConfig config;
  try {
    each_setting(config, [&](const char* name, const char*, auto& value) {
      if (object.contains(name) || is_early(name)) {
        object.at(name).get_to(value);
      }
    });
  } catch (const nlohmann::json::exception& error) {
    damaged(json_complaint(error));
  }
  config.matmul = config.matmul.empty() ? "highest" : config.matmul;  // older runs had no other
  try {
    config = resolve(config);
  } catch (const c10::ValueError& error) {
    damaged(error.msg());
  }
  return config;
}

bool holds_config(const std::string& folder) {
  std::error_code ignored;
  return fs::exists(config_path(folder), ignored);
}

RunConfig continued(RunConfig said, const std::set<std::string>& given, const std::string& folder) {
  RunConfig config = load_config(folder);
  said.model = given.contains("--model") ? said.model : config.model;
  require_unicode(said);
  said = with_absolute_paths(std::move(said), find_preset(said.model));
  const json before = settings(config);
  each_setting(said, [&](const std::string& name, const char* option, const auto& value) {
    // Where it is measured, and how patiently, decides nothing; whether it is measured does.
    const bool may_change = name == "epochs" || name == "data_root" || name == "retries" ||
                            name == "reconnect" ||
                            (name == "instrument" && !config.laboratory.instrument.empty() &&
                             !said.laboratory.instrument.empty());
    OPTOTORCH_CHECK(
        option == nullptr || !given.contains(option) || may_change || before.at(name) == json(value),
        .where = "optotorch", .argument = option,
        .expected = before.at(name).dump() + ", the " + name + " in " + config_path(folder),
        .got = json(value).dump(), .remedy = "Leave it out, or begin another run");
  });
  if (given.contains("--epochs")) {
    OPTOTORCH_CHECK(said.epochs >= config.epochs, .where = "optotorch", .argument = "--epochs",
                    .expected = c10::str("at least ", config.epochs, ", as in ", config_path(folder)),
                    .got = std::to_string(said.epochs),
                    .remedy = "A run can be made longer, and not shorter");
    config.epochs = said.epochs;
  }
  if (given.contains("--data-root")) {
    config.data_root = said.data_root;
  }
  if (given.contains("--instrument")) {
    config.laboratory.instrument = said.laboratory.instrument;
  }
  if (given.contains("--retries")) {
    config.laboratory.retries = said.laboratory.retries;
  }
  if (given.contains("--reconnect")) {
    config.laboratory.reconnect = said.laboratory.reconnect;
  }
  return resolve(config);
}

std::vector<std::string> train_arguments(const RunConfig& config) {
  std::vector<std::string> arguments{"train"};
  auto usual = defaults();
  each_setting(config, [&](const char* name, const char* option, const auto& value) {
    if (option == nullptr || (!is_early(name) && usual[name] == json(value))) {
      return;  // a laboratory's settings are not even known to networks without one
    }
    arguments.emplace_back(option);
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
      arguments.push_back(value);
    } else {
      arguments.push_back(json(value).dump());  // the shortest digits that mean this very number
    }
  });
  return arguments;
}

bool is_same(const RunConfig& a, const RunConfig& b) {
  return settings(a) == settings(b);
}

void require_same_run(const RunConfig& config, const std::string& folder) {
  const json before = settings(load_config(folder)), now = settings(config);
  for (const auto& [name, value] : now.items()) {
    OPTOTORCH_CHECK(before.at(name) == value || name == "data_root", .where = "optotorch", .argument = name,
                    .expected = before.at(name).dump() + ", as the run in " + folder + " began with",
                    .got = value.dump(), .remedy = "Resume with the same options, or begin another run");
  }
}

}  // namespace optotorch::tools
