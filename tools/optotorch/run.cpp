#include "optotorch/run.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/electro_optic_activation.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/ops/simd_target.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/split.h>
#include <optotorch/trainers/identify.h>
#include <optotorch/trainers/rules/in_silico.h>
#include <optotorch/trainers/rules/laboratory.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/adam.h>
#include <torch/version.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <type_traits>

#include "optotorch/networks.h"
#include "optotorch/rules.h"

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
  visit("start", "--start", config.start);
  auto& laboratory = config.laboratory;
  visit("instrument", "--instrument", laboratory.instrument);
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
  return early.count(name) != 0;
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
                        usual[name] == json(value),
                    .where = "optotorch", .argument = option,
                    .expected = "none for '" + config.model + "', which is simulated as a whole",
                    .got = json(value).dump(), .remedy = "The network 'mpnn-in-situ' is in a laboratory");
  });
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
void require_place(const RunConfig& config, const RunOptions& options) {
  const std::string& folder = options.folder;
  std::error_code error;
  if (!fs::exists(folder, error) || (fs::is_directory(folder, error) && !holds_something(folder))) {
    return;
  }
  OPTOTORCH_CHECK(options.resume, .where = "optotorch", .argument = "--out",
                  .expected = "a new or empty folder", .got = folder,
                  .remedy = "Continue the run in it with --resume, or choose another folder");
  require_same_run(config, folder);
}

/// Writes what a new run begins with.
void begin_folder(const RunConfig& config, const std::string& folder) {
  std::error_code error;
  if (holds_something(folder)) {
    return;
  }
  fs::create_directories(folder, error);
  OPTOTORCH_CHECK(!error, .where = "optotorch", .argument = "--out", .expected = "a folder that can be made",
                  .got = folder + ": " + error.message(), .remedy = "Choose another place");
  write_text_atomically(config_path(folder), to_json(config).dump(2) + "\n");
}

}  // namespace

RunConfig resolve(RunConfig config) {
  const auto& preset = find_preset(config.model);
  if (preset.make_in == nullptr) {
    require_no_laboratory(config);
  } else {
    config.laboratory = complete(config.laboratory, preset, config.rule);
    check(config.laboratory);
  }
  make_rule(config.rule, preset, {.seed = config.seed, .laboratory = config.laboratory});
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
      if (object.contains(name) || is_early(name)) {
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

/// What a network's layers before the laboratory make of images.
class Light : public BatchSource {
 public:
  Light(HybridImpl& model, size_t layers, const BatchSource& images)
      : model_(model), layers_(layers), images_(images) {}
  int64_t size() const override { return images_.size(); }
  Batch batch(int64_t epoch, int64_t index) const override {
    auto batch = images_.batch(epoch, index);
    for (size_t i = 0; i < layers_; ++i) {
      batch.data = model_.layer(i).forward(batch.data);
    }
    return batch;
  }

 private:
  HybridImpl& model_;
  size_t layers_;
  const BatchSource& images_;
};

void identify_errors(HybridImpl& model, const BatchSource& images, const RunConfig& config) {
  auto [network, index] = laboratory_network("optotorch", model);
  const auto losses = identify(*network, Light(model, index, images),
                               IdentifyOptions()
                                   .batches(config.laboratory.identify)
                                   .rate(config.laboratory.correction_rate)
                                   .seed(config.seed));
  std::fprintf(stderr, "identified from %lld samples: similarity loss %.3g, then %.3g\n",
               static_cast<long long>(network->system()->measurements()), losses.front(), losses.back());
}

/// What knows the errors of simulated chips.
std::optional<TrueGradient> true_gradient(RunConfig config) {
  if (find_preset(config.model).make_in == nullptr || !config.laboratory.instrument.empty()) {
    return std::nullopt;
  }
  config.laboratory.correction = "exact";
  auto generator = at::detail::getDefaultCPUGenerator();
  const auto before = generator.get_state();  // to look at a run does not change it
  TrueGradient truth{make_network(config).ptr(), std::make_shared<InSilico>()};
  generator.set_state(before);
  return truth;
}

/// Adam, with a learning rate of their own for the parameters of torch::nn modules.
std::shared_ptr<torch::optim::Optimizer> make_optimizer(const HybridImpl& model, double rate,
                                                        const Preset& preset) {
  const auto options = [&preset](double value) {
    return torch::optim::AdamOptions(value).betas({0.9, preset.beta2});
  };
  if (preset.electronic_rate == 1) {
    return std::make_shared<torch::optim::Adam>(model.parameters(), options(rate));
  }
  std::vector<torch::Tensor> optical, electronic;
  for (size_t i = 0; i < model.size(); ++i) {
    const bool is_electronic = dynamic_cast<const ElectronicBlock*>(&model.layer(i)) != nullptr;
    const auto parameters = model.layer(i).parameters();
    auto& group = is_electronic ? electronic : optical;
    group.insert(group.end(), parameters.begin(), parameters.end());
  }
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(optical, std::make_unique<torch::optim::AdamOptions>(options(rate)));
  groups.emplace_back(electronic,
                      std::make_unique<torch::optim::AdamOptions>(options(rate * preset.electronic_rate)));
  return std::make_shared<torch::optim::Adam>(groups, options(rate));
}

}  // namespace

Hybrid make_network(const RunConfig& config) {
  torch::manual_seed(config.seed);  // a chip that the network draws is drawn as the training drew it
  const auto& preset = find_preset(config.model);
  if (preset.make_in == nullptr) {
    return preset.make(config.classes);
  }
  const auto& laboratory = config.laboratory;
  auto model = preset.make_in(
      config.classes,
      make_system(laboratory, mpnn_mesh().layout(), mpnn_meshes, ElectroOpticActivation().ptr(), config.seed),
      reads_taps(config.rule), laboratory.fusion == "in-place" ? Fusion::in_place : Fusion::propagate);
  correct(*laboratory_network("optotorch", *model).first, laboratory, config.seed);
  return model;
}

FitResult train_run(RunConfig config, const RunOptions& options) {
  at::set_num_threads(static_cast<int>(config.threads));
  const auto& preset = find_preset(config.model);
  auto sets = load_image_sets(config.dataset, config.data_root);
  config.classes = sets.train.classes();
  require_place(config, options);
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

  auto model = make_network(config);
  if (!config.start.empty()) {
    start_from(*model, config.start);
  }
  const auto rule = make_rule(config.rule, preset,
                              {.seed = config.seed,
                               .epochs = config.epochs,
                               .steps_per_epoch = train.size(),
                               .laboratory = config.laboratory});
  begin_folder(config, options.folder);  // what was asked for is there
  if (config.laboratory.identify > 0) {
    identify_errors(*model, train, config);
  }
  const auto optimizer = make_optimizer(*model, config.learning_rate, preset);
  const Loss loss = [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };
  Trainer trainer(model, rule, optimizer, loss,
                  TrainerOptions()
                      .epochs(config.epochs)
                      .schedule(preset.schedule(config.epochs, config.epochs * train.size()))
                      .folder(options.folder)
                      .resume(options.resume)
                      .checkpoint_seconds(options.checkpoint_seconds)
                      .checkpoint_steps(options.checkpoint_steps)
                      .progress(options.progress)
                      .alignment(options.alignment)
                      .truth(options.alignment ? true_gradient(config) : std::nullopt));
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
  auto model = make_network(config);
  const std::string checkpoint = folder + "/checkpoint.safetensors";
  load_checkpoint_weights(checkpoint, *model, best);
  const auto rule_state = load_checkpoint_rule(checkpoint);
  if (find_preset(config.model).make_in != nullptr) {
    const auto corrections = laboratory_network("optotorch", *model).first->corrections();
    const bool learnt = std::any_of(rule_state.begin(), rule_state.end(),
                                    [](const auto& entry) { return entry.first.starts_with("correction."); });
    if (learnt) {  // physics-aware training has none
      load_parameters("optotorch", corrections, rule_state);
    }
  }
  return model;
}

torch::Tensor example_input(const RunConfig& config, int64_t batch) {
  auto shape = find_preset(config.model).input;
  shape.insert(shape.begin(), batch);
  // A ramp with a wrap: neither constant nor random.
  return (torch::arange(c10::multiply_integers(shape), torch::kFloat32) * 0.37).fmod(1).reshape(shape);
}

}  // namespace optotorch::tools
