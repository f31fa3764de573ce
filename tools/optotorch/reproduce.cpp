#include <ATen/Parallel.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "optotorch/command.h"
#include "optotorch/run.h"
#include "recipes/recipe.h"

namespace optotorch::tools {
namespace {

using json = nlohmann::ordered_json;

const Recipe& find_recipe(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& recipe : recipes()) {
    if (recipe.name == name) {
      return recipe;
    }
    names.push_back(recipe.name);
  }
  reject({.where = "optotorch",
          .argument = "NAME",
          .expected = "one of " + c10::Join(", ", names),
          .got = "'" + name + "'",
          .remedy = "The nearest is '" + nearest_name(name, names) + "'"});
}

json to_json(const RecipeRow& row) {
  return {{"system", row.system},     {"published", row.published ? json(*row.published) : json(nullptr)},
          {"measured", row.measured}, {"spread", row.spread},
          {"seeds", row.seeds},       {"selection", row.selection}};
}

void reproduce(const Recipe& recipe, const RecipeOptions& options) {
  OPTOTORCH_CHECK(!options.out.empty(), .where = "optotorch", .argument = "--out",
                  .expected = "a folder for the runs", .got = "none", .remedy = "Give --out DIR");
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  const auto start = std::chrono::steady_clock::now();
  json rows = json::array();
  for (const auto& row : recipe.run(options)) {
    rows.push_back(to_json(row));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const json result{{"recipe", recipe.name}, {"rows", rows}, {"seconds", seconds}, {"versions", versions()}};
  const std::string path =
      options.json_file.empty() ? options.out + "/" + recipe.name + ".json" : options.json_file;
  write_text_atomically(path, result.dump(2) + "\n");
  std::printf("%.0f s in all; runs in %s, results in %s\n", seconds, options.out.c_str(), path.c_str());
}

}  // namespace

void add_reproduce(CLI::App& app) {
  auto* command =
      app.add_subcommand("reproduce", "Repeat an experiment: what was published beside what is measured");
  auto options = std::make_shared<RecipeOptions>();
  auto name = std::make_shared<std::string>();
  auto list = std::make_shared<bool>(false);
  command->add_option("NAME", *name, "The experiment; see --list");
  command->add_flag("--list", *list, "Name the experiments");
  command->add_option("--data-root", options->data_root, "Folder as torchvision lays it out")
      ->capture_default_str();
  command->add_option("--seeds", options->seeds, "Repetitions")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--epochs", options->epochs, "Default: the experiment's")->check(CLI::PositiveNumber);
  command->add_option("--threads", options->threads, "Default: the network's")->check(CLI::PositiveNumber);
  command->add_option("--out", options->out, "Folder for runs and results");
  command->add_option("--json", options->json_file, "Results (default: OUT/NAME.json)");
  command->add_flag("--quick", options->quick, "A smoke run of one epoch each");
  command->callback([options, name, list] {
    if (*list || name->empty()) {
      for (const auto& recipe : recipes()) {
        std::printf("%-16s %s\n", recipe.name.c_str(), recipe.description.c_str());
      }
      return;
    }
    reproduce(find_recipe(*name), *options);
  });
}

}  // namespace optotorch::tools
