// The optotorch program. Wrong input: one clear error on standard error, exit code 2, nothing changed.

#include <c10/util/Exception.h>
#include <optotorch/core/allocation.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/distributed.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <new>

#include "optotorch/command.h"
#include "runs/standard_streams.h"
#include "runs/validators.h"

namespace optotorch::tools {

namespace {

constexpr int wrong_input_exit_code = 2;
/// Of a rank that ends because another one has said why.
constexpr int other_rank_exit_code = 1;

/// The one form that errors have.
int fail(std::string message) {
  const std::string program = "optotorch: ";
  if (message.starts_with(program)) {  // it is said already
    message = message.substr(program.size());
  }
  std::fprintf(stderr, "optotorch: error: %s\n", message.c_str());
  return wrong_input_exit_code;
}

int unknown_word(const std::string& word, const std::vector<std::string>& known, const std::string& help) {
  const auto nearest = nearest_name(word, known);
  return fail("'" + word + "' is not known. " +
              (nearest.empty() ? help + " lists what is." : "Did you mean '" + nearest + "'?"));
}

/// Output must have arrived: a full disk is an error, not a short answer.
int check_output(int exit_code) {
  errno = 0;
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good()) {
    return exit_code;
  }
  const int code = fail(std::string("standard output: expected room for all of it, got ") +
                        (errno != 0 ? std::strerror(errno) : "an error on the way") + ".");
  return exit_code == 0 ? code : exit_code;
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
  add_decompose(app);
  add_reproduce(app);
  add_sweep(app);
  check_numbers(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();  // a command's own, e.g. after Ctrl-C
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error, std::cout, std::cerr);  // help, or the version
    }
    const auto used = app.get_subcommands();
    const std::string help =
        used.empty() ? "optotorch --help" : "optotorch " + used.front()->get_name() + " --help";
    const auto words = app.remaining(/*recurse=*/true);
    if (used.empty()) {
      return words.empty() ? fail("expected a command, got none. " + help + " lists them.")
                           : unknown_word(words.front(), command_names(app), help);
    }
    if (!words.empty() && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
      return unknown_word(words.front(), option_names(*used.front()), help);
    }
    std::string said = error.what();
    if (const auto twice = said.find(": At Most 1 required"); twice != std::string::npos) {
      said = said.substr(0, twice) + ": expected once, got more often";
    }
    return fail(said + (said.ends_with('?') || said.ends_with('.') ? " " : ". ") + help + " explains it.");
  }
  return 0;
}

}  // namespace
}  // namespace optotorch::tools

int main(int argc, char** argv) {
  optotorch::tools::open_standard_streams();
  optotorch::keep_freed_memory();
  using optotorch::tools::check_output;
  using optotorch::tools::fail;
  try {
    return check_output(optotorch::tools::run(argc, argv));
  } catch (const optotorch::RankEnded&) {
    return optotorch::tools::other_rank_exit_code;
  } catch (const c10::Error& error) {
    return check_output(fail(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    return check_output(fail("expected more memory, got no more. Use smaller batches or a smaller network."));
  } catch (const std::exception& error) {
    return check_output(fail(error.what()));
  }
}
