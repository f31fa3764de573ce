// The optotorch program. Wrong input: one clear error on standard error, exit code 2, nothing changed.

#include <c10/util/Exception.h>
#include <optotorch/core/allocation.h>
#include <optotorch/core/check.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "optotorch/command.h"
#include "optotorch/standard_streams.h"

namespace optotorch::tools {

CLI::Validator one_of(std::vector<std::string> known) {
  const std::string list = c10::Join(" | ", known);
  return CLI::Validator(
      [known](const std::string& value) {
        if (std::find(known.begin(), known.end(), value) != known.end()) {
          return std::string();
        }
        return "'" + value + "' is not one of " + c10::Join(", ", known) + ". Did you mean '" +
               nearest_name(value, known) + "'?";
      },
      list);
}

namespace {

/// "'wrong' is not known. Did you mean 'right'?"
int unknown_word(const std::string& word, const std::vector<std::string>& known) {
  std::fprintf(stderr, "'%s' is not known. Did you mean '%s'?\nRun with --help for more information.\n",
               word.c_str(), nearest_name(word, known).c_str());
  return 2;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

int run(int argc, char** argv) {
  CLI::App app("Trains, judges and exports neural networks that are partly optical.", "optotorch");
  app.require_subcommand(1);
  app.set_version_flag("--version", OPTOTORCH_VERSION);
  app.footer(
      "optotorch COMMAND --help explains a command. Start with:\n"
      "  optotorch train --data-root data --rule tpfp --epochs 3 --out run");
  add_train(app);
  add_evaluate(app);
  add_export(app);
  add_info(app);
  add_sample(app);
  add_instrument(app);
  add_reproduce(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();  // a command's own, e.g. after Ctrl-C
  } catch (const CLI::ParseError& error) {
    const auto used = app.get_subcommands();
    const auto words = app.remaining(/*recurse=*/true);
    if (used.empty() && !words.empty()) {
      return unknown_word(words.front(), command_names(app));
    }
    if (!words.empty() && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
      return unknown_word(words.front(), option_names(*used.front()));
    }
    return app.exit(error, std::cout, std::cerr) == 0 ? 0 : 2;
  }
  return 0;
}

}  // namespace
}  // namespace optotorch::tools

int main(int argc, char** argv) {
  optotorch::tools::open_standard_streams();
  optotorch::keep_freed_memory();
  try {
    return optotorch::tools::run(argc, argv);
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "%s\n", error.what_without_backtrace());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 2;
}
