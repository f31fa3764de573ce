#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "optotorch/command.h"
#include "runs/command_line.h"
#include "runs/rules.h"
#include "runs/run.h"
#include "runs/run_data.h"
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

/// The command, as a shell understands it, that continues an interrupted run as this one ran.
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
  if (options.tensorboard) {
    words.emplace_back("--tensorboard");
  }
  if (!options.progress) {
    words.emplace_back("--quiet");
  }
  for (auto& word : words) {
    word = shell_word(word);
  }
  return c10::Join(" ", words);
}

/// Words that --network takes. A command that nobody asks for help reads none of these files.
std::string network_words() {
  std::string words = "Network, by name or as a .json file:";
  for (const auto& name : network_names()) {
    try {
      words += "\n" + name + ": " + find_network(name).description;
    } catch (const c10::Error&) {
      words += "\n" + name + ": damaged";  // who asks for it is told more
    }
  }
  return words;
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

  std::string make_option_desc(const CLI::Option* option) const override {
    return option->check_lname("network") ? network_words() : Formatter::make_option_desc(option);
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

/// Adds the names that options take to their help; those of networks are read when it is shown.
void say_what_there_is(CLI::App& command) {
  std::string rules = "Update rule, the last ones for a physical system:";
  for (const auto& rule : named_rules()) {
    rules += "\n" + rule.name + ": " + rule.description;
  }
  command.get_option("--network")->type_name("NAME");
  command.get_option("--rule")->description(rules)->type_name("NAME")->check(one_of(rule_names()));
  command.get_option("--dataset")
      ->description("Data set (default: the network's): " + c10::Join(", ", dataset_names()) +
                    ", or a text's file");
  command.get_option("--correction")
      ->description("Correction of the model: " + c10::Join(", ", correction_names()))
      ->check(one_of(correction_names()));
  command.get_option("--fusion")->check(one_of({"propagate", "in-place"}));
  command.get_option("--set")->type_name("KEY=VALUE")->expected(1)->take_all();
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "Train a network and write a RUN folder");
  auto config = std::make_shared<RunConfig>();
  auto options = std::make_shared<RunOptions>();
  each_setting(*config, [command](const Setting& setting, auto& value) {
    if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, std::vector<int64_t>>) {
      if (setting.option != nullptr) {
        add_setting(*command, setting, value);
      }
    }
  });
  say_what_there_is(*command);
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
  command->add_flag("--tensorboard", options->tensorboard,
                    "Event files for TensorBoard in RUN/tensorboard: curves, parameters, phases, settings");
  command->add_flag_callback(
      "--quiet", [options] { options->progress = false; }, "No progress on standard error");
  hide_until_asked(*command, {system_group, model_group}, "--help-laboratory");
  command->callback([config, options, command] {
    options->given = given_options(*command);
    options->ranks = Distributed::from_environment();
    options->resume = options->resume || Distributed::restarts() > 0;
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
    if (!options->is_first_rank()) {
      if (result.interrupted) {
        throw CLI::RuntimeError(interrupted_exit_code);
      }
      return;
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
