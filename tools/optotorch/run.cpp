#include "optotorch/run.h"

#include <ATen/Parallel.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/ops/simd_target.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/split.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/adam.h>
#include <torch/version.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <type_traits>

#include "optotorch/rules.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr double warmup = 0.025;  // fraction of all steps

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
}

// Settings that older runs lack: they ran with the default.
bool is_late(const std::string& name) {
  return name == "samples";
}

json settings(const RunConfig& config) {
  json result;
  each_setting(config, [&](const char* name, const char*, const auto& value) { result[name] = value; });
  return result;
}

/// log.txt may be there before the run, and a kill may leave a part of config.json.
bool holds_something(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name != "log.txt" && !name.starts_with("config.json.part")) {
      return true;
    }
  }
  return false;
}

/// The folder is new, empty, or holds this very run and may be continued.
void prepare_folder(const RunConfig& config, const RunOptions& options) {
  const std::string& folder = options.folder;
  std::error_code error;
  const bool occupied =
      fs::exists(folder, error) && (!fs::is_directory(folder, error) || holds_something(folder));
  if (!occupied) {
    fs::create_directories(folder, error);
    OPTOTORCH_CHECK(!error, .where = "optotorch", .argument = "--out",
                    .expected = "a folder that can be made", .got = folder + ": " + error.message(),
                    .remedy = "Choose another place");
    write_text_atomically(config_path(folder), to_json(config).dump(2) + "\n");
    return;
  }
  OPTOTORCH_CHECK(options.resume, .where = "optotorch", .argument = "--out",
                  .expected = "a new or empty folder", .got = folder,
                  .remedy = "Continue the run in it with --resume, or choose another folder");
  require_same_run(config, folder);
}

}  // namespace

RunConfig resolve(RunConfig config) {
  const auto& preset = find_preset(config.model);
  make_rule(config.rule, preset, config.seed);
  const auto whole = [](const char* argument, int64_t value, int64_t least, int64_t most) {
    OPTOTORCH_CHECK(value >= least && value <= most, .where = "optotorch", .argument = argument,
                    .expected = c10::str(least, " to ", most), .got = std::to_string(value), .remedy = "");
  };
  config.epochs = config.epochs == 0 ? preset.epochs : config.epochs;
  config.batch_size = config.batch_size == 0 ? preset.batch_size : config.batch_size;
  config.learning_rate = config.learning_rate == 0 ? preset.learning_rate : config.learning_rate;
  config.threads = config.threads == 0 ? preset.threads : config.threads;
  whole("--epochs", config.epochs, 1, 1'000'000);
  whole("--batch-size", config.batch_size, 1, 1'000'000);
  whole("--samples", config.samples, 0, 1'000'000'000);
  whole("--threads", config.threads, 1, 1024);
  OPTOTORCH_CHECK(std::isfinite(config.learning_rate) && config.learning_rate > 0, .where = "optotorch",
                  .argument = "--lr", .expected = "a positive number", .got = c10::str(config.learning_rate),
                  .remedy = "");
  OPTOTORCH_CHECK(std::isfinite(config.validation) && config.validation >= 0, .where = "optotorch",
                  .argument = "--validation", .expected = "a fraction below 1, a number of images, or 0",
                  .got = c10::str(config.validation), .remedy = "");
  return config;
}

json versions() {
  return {{"optotorch", OPTOTORCH_VERSION},
          {"libtorch", TORCH_VERSION},
          {"simd", ops::simd_target()},
          {"threads", at::get_num_threads()}};
}

json to_json(const RunConfig& config) {
  json result = settings(config);
  result["versions"] = versions();
  return result;
}

RunConfig load_config(const std::string& folder) {
  const std::string path = config_path(folder);
  std::ifstream file(path);
  OPTOTORCH_CHECK(file.good(), .where = "optotorch", .argument = "RUN",
                  .expected = "a folder with config.json", .got = folder,
                  .remedy = "optotorch train --out RUN makes one");
  try {
    const json object = json::parse(file);
    RunConfig config;
    each_setting(config, [&](const char* name, const char*, auto& value) {
      if (object.contains(name) || !is_late(name)) {
        object.at(name).get_to(value);
      }
    });
    return config;
  } catch (const nlohmann::json::exception& error) {
    reject({.where = "optotorch",
            .argument = path,
            .expected = "a run's configuration",
            .got = error.what(),
            .remedy = "The file is damaged"});
  }
}

std::vector<std::string> train_arguments(const RunConfig& config) {
  std::vector<std::string> arguments{"train"};
  each_setting(config, [&](const char*, const char* option, const auto& value) {
    if (option == nullptr) {
      return;
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

void require_same_run(const RunConfig& config, const std::string& folder) {
  const json before = settings(load_config(folder)), now = settings(config);
  for (const auto& [name, value] : now.items()) {
    OPTOTORCH_CHECK(before.at(name) == value || name == "data_root", .where = "optotorch", .argument = name,
                    .expected = before.at(name).dump() + ", as the run in " + folder + " began with",
                    .got = value.dump(), .remedy = "Resume with the same options, or begin another run");
  }
}

std::vector<EpochReport> load_metrics(const std::string& folder) {
  std::vector<EpochReport> epochs;
  std::ifstream file(folder + "/metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    epochs.push_back(EpochReport::from_json(line));
  }
  return epochs;
}

namespace {

/// Adam, with a learning rate of their own for the parameters of torch::nn modules.
std::shared_ptr<torch::optim::Optimizer> make_optimizer(const HybridImpl& model, double rate,
                                                        double electronic_rate) {
  if (electronic_rate == 1) {
    return std::make_shared<torch::optim::Adam>(model.parameters(), torch::optim::AdamOptions(rate));
  }
  std::vector<torch::Tensor> optical, electronic;
  for (size_t i = 0; i < model.size(); ++i) {
    const bool is_electronic = dynamic_cast<const ElectronicBlock*>(&model.layer(i)) != nullptr;
    const auto parameters = model.layer(i).parameters();
    auto& group = is_electronic ? electronic : optical;
    group.insert(group.end(), parameters.begin(), parameters.end());
  }
  const auto options = [](double value) { return std::make_unique<torch::optim::AdamOptions>(value); };
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(optical, options(rate));
  groups.emplace_back(electronic, options(rate * electronic_rate));
  return std::make_shared<torch::optim::Adam>(groups, torch::optim::AdamOptions(rate));
}

}  // namespace

FitResult train_run(RunConfig config, const RunOptions& options) {
  at::set_num_threads(static_cast<int>(config.threads));
  const auto& preset = find_preset(config.model);
  auto sets = load_image_sets(config.dataset, config.data_root);
  config.classes = sets.train.classes();
  prepare_folder(config, options);
  if (config.samples > 0 && config.samples < sets.train.count()) {
    sets.train = sets.train.select(torch::arange(config.samples));
  }

  const auto parts = config.validation > 0
                         ? std::optional<Split>(split(sets.train, config.validation, config.seed))
                         : std::nullopt;
  const ImageBatches train(parts ? parts->training : sets.train, ImageBatchesOptions(config.batch_size)
                                                                     .shuffle(true)
                                                                     .seed(config.seed)
                                                                     .shift(preset.shift)
                                                                     .flip(preset.flip));
  const ImageBatchesOptions whole(1000);
  const ImageBatches test(sets.test, whole);
  const auto validation =
      parts ? std::optional<ImageBatches>(ImageBatches(parts->validation, whole)) : std::nullopt;

  torch::manual_seed(config.seed);
  auto model = preset.make(config.classes);
  const auto rule = make_rule(config.rule, preset, config.seed);
  const auto optimizer = make_optimizer(*model, config.learning_rate, preset.electronic_rate);
  const Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };
  const auto warmup_steps = static_cast<int64_t>(warmup * static_cast<double>(config.epochs * train.size()));
  Trainer trainer(model, rule, optimizer, loss,
                  TrainerOptions()
                      .epochs(config.epochs)
                      .schedule(preset.constant_rate ? constant_schedule() : cosine_schedule(warmup_steps))
                      .folder(options.folder)
                      .resume(options.resume)
                      .checkpoint_seconds(options.checkpoint_seconds)
                      .checkpoint_steps(options.checkpoint_steps)
                      .progress(options.progress)
                      .alignment(options.alignment));
  auto result = trainer.fit(train, validation ? &*validation : nullptr, &test);
  if (!result.interrupted && preset.deployable) {
    export_torchscript(model, example_input(config, 2), options.folder + "/model.pt");
  }
  return result;
}

Hybrid load_model(const RunConfig& config, const std::string& folder, bool best) {
  OPTOTORCH_CHECK(config.classes >= 1 && config.classes <= 100'000, .where = "optotorch",
                  .argument = "classes", .expected = "1 to 100000 in config.json",
                  .got = std::to_string(config.classes), .remedy = "");
  torch::manual_seed(config.seed);  // a chip is drawn as the training drew it
  auto model = find_preset(config.model).make(config.classes);
  load_checkpoint_weights(folder + "/checkpoint.safetensors", *model, best);
  return model;
}

torch::Tensor example_input(const RunConfig& config, int64_t batch) {
  auto shape = find_preset(config.model).input;
  shape.insert(shape.begin(), batch);
  // A ramp with a wrap: neither constant nor random.
  return (torch::arange(c10::multiply_integers(shape), torch::kFloat32) * 0.37).fmod(1).reshape(shape);
}

}  // namespace optotorch::tools
