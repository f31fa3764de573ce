#include "runs/run.h"

#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/input_file.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/trainers/interrupt.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <optotorch/trainers/rules/laboratory/oracle.h>
#include <optotorch/trainers/statistics.h>
#include <torch/optim/adam.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>

#include "runs/dashboard.h"
#include "runs/folder_lock.h"
#include "runs/rules.h"
#include "runs/run_data.h"
#include "runs/run_network.h"
#include "runs/settings.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

constexpr auto config_name = "config.json", network_name = "network.json", vocabulary_name = "vocabulary.txt",
               checkpoint_name = "checkpoint.safetensors", metrics_name = "metrics.jsonl",
               export_name = "model.pt", dashboard_name = "tensorboard";

/// Files that a run writes.
std::vector<std::string> run_files() {
  return {config_name, network_name, vocabulary_name, checkpoint_name, metrics_name, export_name};
}

/// The run that is to be trained in a locked folder: it is new, empty, or holds that run and
/// may be continued.
Run settle(const RunConfig& said, const RunOptions& options, const FolderLock& lock) {
  const std::string& folder = options.folder;
  if (!holds_config(folder) &&
      lock.is_empty_but_for({"log.txt", network_name, vocabulary_name}, run_files())) {
    return resolve(said, options.given);
  }
  OPTOTORCH_CHECK(options.resume, .where = "optotorch", .argument = "--out",
                  .expected = "a new or empty folder", .got = folder,
                  .remedy = "Continue the run in it with --resume, or choose another folder");
  return continued(said, options.given, folder);
}

/// Throws now what the first measurement would throw when the folder is made already.
void require_monitors(const HybridImpl& model, const Run& run, bool identifies) {
  if (run.rule->monitors == Monitors::unused || (run.rule->monitors != Monitors::needed && !identifies)) {
    return;
  }
  OPTOTORCH_CHECK(laboratory_networks("optotorch", model).front().network->system()->has_monitors() ||
                      laboratory_networks("optotorch", model).front().network->stages().size() == 1,
                  .where = "optotorch", .argument = "--instrument",
                  .expected = "one with monitors behind every stage, for " +
                              (identifies ? std::string("--identify") : "--rule " + run.rule->name),
                  .got = run.config.laboratory.instrument + ", without monitors",
                  .remedy = "Without monitors there are the rules 'dat-output' and 'pat-output'");
}

/// First files of a new run. If the run ends before its first checkpoint, by an error, it goes again.
class Beginning {
 public:
  explicit Beginning(const std::string& folder) : folder_(folder) {}
  Beginning(const Beginning&) = delete;
  Beginning& operator=(const Beginning&) = delete;
  ~Beginning() {
    std::error_code ignored;
    if (written_ && !kept_ && !fs::exists(folder_ + "/" + checkpoint_name, ignored)) {
      fs::remove(folder_ + "/" + config_name, ignored);
      fs::remove(folder_ + "/" + network_name, ignored);
      fs::remove(folder_ + "/" + vocabulary_name, ignored);
      fs::remove_all(folder_ + "/" + dashboard_name, ignored);
    }
  }

  void write(const Run& run, const std::string& vocabulary) {
    written_ = true;
    if (!vocabulary.empty()) {
      write_text_atomically(folder_ + "/" + vocabulary_name, vocabulary);
    }
    save_run(run, folder_);
  }

  /// It stays in any case: nothing was wrong.
  void keep() { kept_ = true; }

 private:
  const std::string& folder_;
  bool written_ = false, kept_ = false;
};

/// Throws c10::ValueError for a device that cannot train here. Ranks exchange messages of the CPU.
torch::Device device_named(const std::string& name, bool has_ranks) {
  try {
    const torch::Device device(name);
    at::empty({1}, device);
    if (!device.is_meta() && (device.is_cpu() || !has_ranks)) {
      return device;
    }
  } catch (const c10::Error&) {  // reported below
  }
  reject({.where = "optotorch",
          .argument = "--device",
          .expected = has_ranks ? "cpu, with several ranks"
                                : "cpu, or one that this LibTorch serves, as cuda or cuda:1",
          .got = "'" + name + "'",
          .remedy = "LibTorch's wheels for a device are at pytorch.org"});
}

/// The network and the corrections of its laboratories, which are no children of it.
void move_to(HybridImpl& model, torch::Device device) {
  model.to(device);
  for (size_t n = 0; n < model.size(); ++n) {
    if (const auto placed = placed_at(model, n)) {
      for (const auto& correction : placed->network->corrections()) {
        correction->to(device);
      }
    }
  }
}

/// A model that knows the errors of simulated chips, or a simulation that knows its slopes.
std::optional<TrueGradient> true_gradient(Run run) {
  if (!run.in_laboratory || !run.config.laboratory.instrument.empty()) {
    return std::nullopt;
  }
  const bool is_fine = run.config.laboratory.simulation == "fine";
  run.config.laboratory.correction = is_fine ? "none" : "exact";
  auto generator = at::detail::getDefaultCPUGenerator();
  const auto before = generator.get_state();  // to look at a run does not change it
  TrueGradient truth{make_network(run).ptr(), is_fine
                                                  ? std::static_pointer_cast<Rule>(std::make_shared<Oracle>())
                                                  : std::make_shared<InSilico>()};
  move_to(*truth.model, torch::Device(run.config.device));
  generator.set_state(before);
  return truth;
}

/// Adam, with a learning rate of their own for the parameters of torch::nn modules.
std::shared_ptr<torch::optim::Optimizer> make_optimizer(const HybridImpl& model, double rate,
                                                        const Training& training) {
  const auto options = [&training](double value) {
    return torch::optim::AdamOptions(value).betas({0.9, training.beta2});
  };
  if (training.electronic_rate == 1) {
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
                      std::make_unique<torch::optim::AdamOptions>(options(rate * training.electronic_rate)));
  return std::make_shared<torch::optim::Adam>(groups, options(rate));
}

/// True if `work` came to its end. It need not, and may throw, when a signal has told it to end.
bool done_unless_interrupted(const std::function<void()>& work) {
  try {
    work();
  } catch (...) {
    if (!InterruptGuard::requested()) {
      throw;
    }
    return false;
  }
  return true;
}

/// True on all ranks if one of them is.
bool is_interrupted(const RunOptions& options, bool here) {
  return options.ranks == nullptr ? here : options.ranks->sum({here ? 1.0 : 0.0}).front() > 0;
}

/// The run that a rank trains: rank 0 settles it, and the others read it when it stands in the folder.
class Settled {
 public:
  Settled(const RunConfig& said, const RunOptions& options) : options_(options) {
    if (options.is_first_rank()) {
      lock_.emplace(options.folder, "another training");
      run = settle(said, options, *lock_);
      is_new = !holds_config(options.folder);
      lock_->remove_parts(run_files());
      return;
    }
    options.ranks->gather("begun", "");
    run = load_run(options.folder);
    options.ranks->gather("read", "");
  }

  /// The other ranks may read it.
  void announce() const {
    if (lock_ && options_.ranks != nullptr) {
      options_.ranks->gather("begun", "");
      options_.ranks->gather("read", "");  // until then it must stay
    }
  }

  Run run;
  bool is_new = false;

 private:
  const RunOptions& options_;
  std::optional<FolderLock> lock_;
};

void require_fitting_ranks(const Run& run, const Distributed& ranks) {
  OPTOTORCH_CHECK(run.config.batch_size >= ranks.world_size(), .where = "optotorch",
                  .argument = "--batch-size",
                  .expected = c10::str("a sample for each of ", ranks.world_size(), " ranks"),
                  .got = std::to_string(run.config.batch_size));
}

std::string settings_in_words(const RunConfig& said, const std::string& folder) {
  std::string text = "--out " + folder + "\n";
  each_setting(said, [&](const Setting& setting, const auto& value) {
    text += c10::str(setting.option != nullptr ? setting.option : setting.name, " ", value, "\n");
  });
  return text;
}

FitResult train_rank(const RunConfig& said, const RunOptions& options) {
  Settled settled(said, options);
  auto& run = settled.run;
  auto& config = run.config;
  const auto& training = run.training();
  const bool is_new = settled.is_new;
  if (options.ranks != nullptr) {
    require_fitting_ranks(run, *options.ranks);
  }
  use_settings(config);
  const auto device = device_named(config.device, options.ranks != nullptr);
  const auto data = load_data(run);
  const auto& train = *data.train;
  OPTOTORCH_CHECK(is_new || (config.classes == data.classes && config.input == data.input),
                  .where = "optotorch", .argument = "--data-root",
                  .expected = c10::str("data of ", config.classes, " classes, as the run began with"),
                  .got = c10::str(data.classes, " in ", config.data_root));
  config.classes = data.classes;
  config.input = data.input;

  const auto own = of_rank(run, options.ranks.get());
  auto model = make_network(own);
  if (!config.start.empty()) {
    start_from(*model, config.start);
  }
  move_to(*model, device);
  const auto rule = make_rule(own, *model, train.size());
  // A run that is continued has what was identified in its checkpoint.
  const bool identifies =
      config.laboratory.identify > 0 && !(options.resume && keeps_corrections(options.folder));
  require_monitors(*model, run, identifies);
  Beginning beginning(options.folder);
  if (is_new) {
    beginning.write(run, data.vocabulary);
  }
  if (!data.vocabulary.empty()) {
    require_vocabulary(options.folder, data.vocabulary);
  }
  if (!is_new && options.is_first_rank() && !is_same(config, load_config(options.folder))) {
    save_run(run, options.folder);
  }
  settled.announce();
  FitResult interrupted;
  interrupted.interrupted = true;
  if (identifies) {
    const InterruptGuard guard;
    const bool done =
        done_unless_interrupted([&] { identify_errors(*model, train, config.laboratory, config.seed); });
    if (is_interrupted(options, !done || InterruptGuard::requested())) {
      beginning.keep();
      return interrupted;
    }
  }
  std::error_code ignored;
  const bool goes_on = options.resume && fs::exists(options.folder + "/" + checkpoint_name, ignored);
  if (!goes_on) {
    const InterruptGuard guard;
    const bool done =
        done_unless_interrupted([&] { fit_statistics(*model, train, InterruptGuard::requested); });
    if (is_interrupted(options, !done || InterruptGuard::requested())) {
      beginning.keep();
      return interrupted;
    }
  }
  std::optional<Dashboard> dashboard;
  if (options.tensorboard && options.is_first_rank()) {
    dashboard.emplace(run, options.folder + "/" + dashboard_name,
                      goes_on ? static_cast<int64_t>(load_metrics(options.folder).size()) : 0);
  }
  const auto optimizer = make_optimizer(*model, config.learning_rate, training);
  Trainer trainer(model, rule, optimizer, loss_of(training),
                  TrainerOptions()
                      .epochs(config.epochs)
                      .metric(metric_of(training))
                      .schedule(training.make_schedule(config.epochs, config.epochs * train.size()))
                      .folder(options.folder)
                      .resume(options.resume)
                      .checkpoint_seconds(options.checkpoint_seconds)
                      .checkpoint_steps(options.checkpoint_steps)
                      .progress(options.progress)
                      .alignment(options.alignment)
                      .truth(options.alignment ? true_gradient(own) : std::nullopt)
                      .on_epoch(dashboard ? [&](const EpochReport& report,
                                                HybridImpl& network) { dashboard->show(report, network); }
                                          : EpochCallback())
                      .distributed(options.ranks)
                      .own_hardware(run.in_laboratory));
  interrupted.resumed = goes_on;
  FitResult result;
  try {
    if (!done_unless_interrupted(
            [&] { result = trainer.fit(train, data.validation.get(), data.test.get()); })) {
      result = interrupted;  // in the midst of a measurement
      if (options.ranks != nullptr) {
        options.ranks->fail();  // the others need not wait
      }
    }
  } catch (const RankEnded&) {
    throw;
  } catch (const c10::Error& error) {
    if (config.laboratory.instrument.empty() ||
        !fs::exists(options.folder + "/" + checkpoint_name, ignored)) {
      throw;
    }
    throw InstrumentLost{error.what_without_backtrace()};
  }
  if (result.interrupted) {
    beginning.keep();
  }
  if (!result.interrupted && !run.in_laboratory && options.is_first_rank()) {
    move_to(*model, torch::kCPU);  // a machine that runs the file has whatever device it has
    export_torchscript(model, example_input(run, 2), options.folder + "/" + export_name);
  }
  if (!result.interrupted && dashboard && !result.epochs.empty()) {
    dashboard->end(result.epochs.back(), *model, data.test.get());
  }
  return result;
}

}  // namespace

FitResult train_run(const RunConfig& said, const RunOptions& options) {
  if (options.ranks == nullptr) {
    return train_rank(said, options);
  }
  try {
    options.ranks->require_same("settings", settings_in_words(said, options.folder),
                                "Start every rank with the same command");
    return train_rank(said, options);
  } catch (const RankEnded&) {
    throw;
  } catch (...) {
    if (!options.ranks->fail()) {
      throw RankEnded();
    }
    throw;
  }
}

std::vector<EpochReport> load_metrics(const std::string& folder) {
  const std::string path = folder + "/metrics.jsonl";
  if (std::error_code ignored; fs::exists(path, ignored)) {
    open_regular_file(path, "optotorch");  // a pipe is refused, which would be waited for
  }
  std::vector<EpochReport> epochs;
  std::ifstream file(folder + "/" + metrics_name);
  for (std::string line; std::getline(file, line);) {
    epochs.push_back(EpochReport::from_json(line));
  }
  return epochs;
}

}  // namespace optotorch::tools
