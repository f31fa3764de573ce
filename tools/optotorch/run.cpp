#include "optotorch/run.h"

#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/trainers/rules/in_silico.h>
#include <optotorch/trainers/rules/laboratory.h>
#include <torch/optim/adam.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "optotorch/presets.h"
#include "optotorch/rules.h"
#include "optotorch/run_data.h"
#include "optotorch/run_network.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

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

/// What the first measurement would complain of when the folder is made already.
void require_taps(const HybridImpl& model, const RunConfig& config, bool identifies) {
  if (tap_use_of(config.rule) != TapUse::needed && !identifies) {
    return;
  }
  OPTOTORCH_CHECK(laboratory_network("optotorch", model).first->system()->has_taps(), .where = "optotorch",
                  .argument = "--instrument",
                  .expected = "one with taps behind every mesh, for " +
                              (identifies ? std::string("--identify") : "--rule " + config.rule),
                  .got = config.laboratory.instrument + ", without taps",
                  .remedy = "Without taps there are the rules 'dat-output' and 'pat-output'");
}

/// Writes what a new run begins with.
void begin_folder(const RunConfig& config, const std::string& vocabulary, const std::string& folder) {
  std::error_code error;
  if (holds_something(folder)) {
    return;
  }
  fs::create_directories(folder, error);
  OPTOTORCH_CHECK(!error, .where = "optotorch", .argument = "--out", .expected = "a folder that can be made",
                  .got = folder + ": " + error.message(), .remedy = "Choose another place");
  if (!vocabulary.empty()) {
    write_text_atomically(vocabulary_path(folder), vocabulary);
  }
  save_config(config, folder);
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

FitResult train_run(RunConfig config, const RunOptions& options) {
  use_settings(config);
  const auto& preset = find_preset(config.model);
  const auto data = load_data(config);
  const auto& train = *data.train;
  config.classes = data.classes;
  require_place(config, options);

  auto model = make_network(config);
  if (!config.start.empty()) {
    start_from(*model, config.start);
  }
  const auto rule = make_rule(config.rule, preset,
                              {.seed = config.seed,
                               .epochs = config.epochs,
                               .steps_per_epoch = train.size(),
                               .laboratory = config.laboratory});
  // A run that is continued has what was identified in its checkpoint.
  const bool identifies =
      config.laboratory.identify > 0 && !(options.resume && keeps_corrections(options.folder));
  require_taps(*model, config, identifies);
  begin_folder(config, data.vocabulary, options.folder);  // what was asked for is there
  if (!data.vocabulary.empty()) {
    require_vocabulary(options.folder, data.vocabulary);
  }
  if (identifies) {
    identify_errors(*model, train, config.laboratory, config.seed);
  }
  const auto optimizer = make_optimizer(*model, config.learning_rate, preset);
  Trainer trainer(model, rule, optimizer, loss_of(config),
                  TrainerOptions()
                      .epochs(config.epochs)
                      .metric(metric_of(config))
                      .schedule(preset.schedule(config.epochs, config.epochs * train.size()))
                      .folder(options.folder)
                      .resume(options.resume)
                      .checkpoint_seconds(options.checkpoint_seconds)
                      .checkpoint_steps(options.checkpoint_steps)
                      .progress(options.progress)
                      .alignment(options.alignment)
                      .truth(options.alignment ? true_gradient(config) : std::nullopt));
  auto result = trainer.fit(train, data.validation.get(), data.test.get());
  if (!result.interrupted && preset.deployable) {
    export_torchscript(model, example_input(config, 2), options.folder + "/model.pt");
  }
  return result;
}

std::vector<EpochReport> load_metrics(const std::string& folder) {
  std::vector<EpochReport> epochs;
  std::ifstream file(folder + "/metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    epochs.push_back(EpochReport::from_json(line));
  }
  return epochs;
}

}  // namespace optotorch::tools
