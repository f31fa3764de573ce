#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "optotorch/command.h"
#include "runs/laboratory_options.h"
#include "runs/presets.h"
#include "runs/rules.h"
#include "runs/run.h"
#include "runs/run_data.h"
#include "runs/validators.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

std::set<std::string> given_options(const CLI::App& command) {
  std::set<std::string> given;
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->count() > 0 ? option->get_lnames() : std::vector<std::string>()) {
      given.insert("--" + name);
    }
  }
  return given;
}

/// What a shell understands as the command that continues an interrupted run as this one ran.
std::string command_to_go_on(const RunOptions& options) {
  std::vector<std::string> words{program_invocation_name, "train", "--out", options.folder, "--resume"};
  if (options.alignment) {
    words.emplace_back("--alignment");
  }
  if (options.given.contains("--checkpoint-seconds")) {
    words.insert(words.end(), {"--checkpoint-seconds", c10::str(options.checkpoint_seconds)});
  }
  if (options.given.contains("--checkpoint-steps")) {
    words.insert(words.end(), {"--checkpoint-steps", std::to_string(options.checkpoint_steps)});
  }
  if (!options.progress) {
    words.emplace_back("--quiet");
  }
  for (auto& word : words) {
    word = shell_word(word);
  }
  return c10::Join(" ", words);
}

/// Shows options of some groups only where they are asked for, and then those alone.
class TwoHelps : public CLI::Formatter {
 public:
  explicit TwoHelps(std::set<std::string> hidden) : hidden_(std::move(hidden)) {}
  void show_hidden() { shows_hidden_ = true; }

  std::string make_group(std::string group, bool positional,
                         std::vector<const CLI::Option*> options) const override {
    return hidden_.contains(group) == shows_hidden_ ? Formatter::make_group(group, positional, options) : "";
  }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    auto text = Formatter::make_help(app, name, mode);
    for (auto gap = text.find("\n\n\n"); gap != std::string::npos; gap = text.find("\n\n\n")) {
      text.erase(gap, 1);  // where a group is left out
    }
    return text;
  }

 private:
  std::set<std::string> hidden_;
  bool shows_hidden_ = false;
};

/// Options of these groups stand in a help of their own, which `flag` asks for.
void hide_until_asked(CLI::App& command, const std::set<std::string>& groups, const std::string& flag) {
  const auto formatter = std::make_shared<TwoHelps>(groups);
  command.formatter(formatter);
  const auto show = [formatter] {
    formatter->show_hidden();
    throw CLI::CallForHelp();
  };
  command
      .add_flag_callback(flag, show, "Options of networks in a laboratory: the physical system, its model")
      ->trigger_on_parse();
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "Train a network and write a RUN folder");
  auto config = std::make_shared<RunConfig>();
  auto options = std::make_shared<RunOptions>();
  std::string models = "Network:", rules = "Update rule, the last ones for a physical system:";
  for (const auto& preset : presets()) {
    models += "\n" + preset.name + ": " + preset.description;
  }
  for (const auto& rule : rule_descriptions()) {
    rules += "\n" + rule.name + ": " + rule.description;
  }
  command->add_option(
      "--dataset", config->dataset,
      "Data set (default: the network's): " + c10::Join(", ", dataset_names()) + ", or a text's file");
  command
      ->add_option("--data-root", config->data_root, "Folder as torchvision lays it out: DIR/MNIST/raw/...")
      ->capture_default_str();
  command->add_option("--model", config->model, models)
      ->type_name("NAME")
      ->check(one_of(preset_names()))
      ->capture_default_str();
  command->add_option("--rule", config->rule, rules)
      ->type_name("NAME")
      ->check(one_of(rule_names()))
      ->capture_default_str();
  command->add_option("--epochs", config->epochs, "Times through the training set (default: the network's)")
      ->check(positive());
  command->add_option("--batch-size", config->batch_size, "Samples a step (default: the network's)")
      ->check(positive());
  command->add_option("--lr", config->learning_rate, "Learning rate of Adam (default: the network's)")
      ->check(positive());
  command
      ->add_option("--validation", config->validation,
                   "Training images held back to choose the best epoch: a fraction below 1, a number, or 0")
      ->capture_default_str();
  command
      ->add_option("--samples", config->samples,
                   "Train on the first so many images (characters of a text) at most; 0: on all")
      ->check(not_negative())
      ->capture_default_str();
  command->add_option("--seed", config->seed, "Seed of initial weights, order, shifts and random matrices")
      ->capture_default_str();
  command->add_option("--threads", config->threads, "Default: the network's")->check(positive());
  command->add_option(
      "--matmul", config->matmul,
      "Precision of matrix products: highest, high, medium (bfloat16 inside, where the processor "
      "has it; default: the network's)");
  command->add_option("--start", config->start,
                      "Begin with the phases of another RUN's meshes, or of a folder of .npy");
  const std::string system = "The physical system (networks mpnn-in-situ, mpnn-published)";
  command
      ->add_option("--instrument", config->laboratory.instrument,
                   "Measure this running instrument, unix:PATH or tcp:HOST:PORT, instead of simulated chips")
      ->group(system);
  add_patience_options(*command, config->laboratory, system);
  add_chip_options(*command, config->laboratory, system);
  command
      ->add_option("--chip-seed", config->laboratory.chip_seed, "Seed of the drawn errors (default: --seed)")
      ->check(not_negative())
      ->group(system);
  const std::string model = "Its numerical model (rules dat-..., in-silico; defaults: the network's)";
  add_model_options(*command, config->laboratory, model);
  command->add_option("--out", options->folder, "RUN folder; must be new, or continued with --resume")
      ->required();
  command->add_flag(
      "--resume", options->resume,
      "Continue the run in --out from its checkpoint, with its settings; a larger --epochs makes it longer");
  command->add_flag("--alignment", options->alignment,
                    "Log, each epoch, the cosine between the rule's update and the true gradient");
  command
      ->add_option("--checkpoint-seconds", options->checkpoint_seconds, "Between checkpoints within an epoch")
      ->check(not_negative())
      ->capture_default_str();
  command
      ->add_option("--checkpoint-steps", options->checkpoint_steps,
                   "Steps between checkpoints; 0: by time only")
      ->check(not_negative())
      ->capture_default_str();
  command->add_flag_callback(
      "--quiet", [options] { options->progress = false; }, "No progress on standard error");
  hide_until_asked(*command, {system, model}, "--help-laboratory");
  command->callback([config, options, command] {
    options->given = given_options(*command);
    // With settings a run may begin that had not come to its first checkpoint; without any it is a slip.
    const bool says_more = std::any_of(options->given.begin(), options->given.end(), [](const auto& name) {
      return name != "--out" && name != "--resume";
    });
    OPTOTORCH_CHECK(!options->resume || says_more || holds_config(options->folder), .where = "optotorch",
                    .argument = "--out", .expected = "the folder of a run to go on with",
                    .got = "'" + options->folder + "', which holds none", .remedy = "Check the path");
    FitResult result;
    try {
      result = train_run(*config, *options);
    } catch (const InstrumentLost& lost) {
      C10_THROW_ERROR(ValueError,
                      lost.why + " What was trained is saved; continue with: " + command_to_go_on(*options));
    }
    if (options->resume) {
      std::printf(result.resumed ? "continued from %s/checkpoint.safetensors\n"
                                 : "no checkpoint in %s yet: began at the beginning\n",
                  options->folder.c_str());
    }
    if (result.interrupted) {
      std::printf("interrupted; continue with: %s\n", command_to_go_on(*options).c_str());
      throw CLI::RuntimeError(interrupted_exit_code);
    }
    const auto& last = result.epochs.back();
    std::printf("test %s %s after epoch %lld; run in %s\n", last.metric.c_str(),
                in_figures(last.test_accuracy.value_or(0), last.metric).c_str(),
                static_cast<long long>(last.epoch), options->folder.c_str());
  });
}

}  // namespace optotorch::tools
