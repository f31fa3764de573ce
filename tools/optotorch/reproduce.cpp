#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "optotorch/command.h"
#include "recipes/recipes.h"
#include "reproduce/page.h"
#include "runs/folder_lock.h"
#include "runs/validators.h"
#include "runs/versions.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;
using ordered_json = nlohmann::ordered_json;

ordered_json to_json(const RecipeRow& row) {
  ordered_json object{{"system", row.system},
                      {"published", row.published ? ordered_json(*row.published) : ordered_json(nullptr)},
                      {"measured", row.measured},
                      {"spread", row.spread},
                      {"seeds", row.seeds},
                      {"selection", row.selection},
                      {"agrees", row.agrees}};
  for (const auto& [name, value] : row.figures) {
    object[name] = value;
  }
  return object;
}

/// The folder, made if absent, whose log begins with the recipe's name: one recipe at a time works in it.
class OutputFolder {
 public:
  OutputFolder(const Recipe& recipe, const std::string& folder) : lock_(folder, "another reproduce") {
    const std::string path = folder + "/log.txt", mark = "reproduce " + recipe.name;
    std::ifstream before(path);
    std::string first;
    std::getline(before, first);
    const std::vector<std::string> files{"log.txt", recipe.name + ".json", "index.html"};
    OPTOTORCH_CHECK(first == mark || (first.empty() && lock_.is_empty_but_for({"log.txt"}, files)),
                    .where = "optotorch", .argument = "--out",
                    .expected = "a new or empty folder, or one in which this recipe began",
                    .got = folder + (first.starts_with("reproduce ") ? ", which holds '" + first + "'" : ""),
                    .remedy = "Choose another folder");
    lock_.remove_parts(files);
    if (first.empty()) {
      write_text_atomically(path, mark + "\n");
    }
  }

 private:
  FolderLock lock_;
};

/// " --dataset mnist ...": what was said of the recipe's own options.
std::string own_options(const Recipe& recipe, const RecipeOptions& options) {
  std::string text;
  for (const auto& option : recipe.options) {
    if (const auto& value = options.own.at(option.name); value != option.usual) {
      text += " --" + option.name + " " + value;
    }
  }
  return text;
}

/// Hours may lie between this and the writing.
void check_writable(const std::string& json_file) {
  auto folder = fs::path(json_file).parent_path();
  folder = folder.empty() ? "." : folder;
  std::error_code error;
  OPTOTORCH_CHECK(::access(folder.c_str(), W_OK | X_OK) == 0 && !fs::is_directory(json_file, error),
                  .where = "optotorch", .argument = "--json",
                  .expected = "a file in a folder that can be written to", .got = json_file,
                  .remedy = "Choose another place");
}

/// True if every figure that must be met is.
bool reproduce(const Recipe& recipe, const RecipeOptions& options) {
  const OutputFolder folder(recipe, options.out);
  const std::string path =
      options.json_file.empty() ? options.out + "/" + recipe.name + ".json" : options.json_file;
  check_writable(path);
  const auto start = std::chrono::steady_clock::now();
  Page page(options.out, recipe.name + ": " + recipe.description);
  ordered_json rows = ordered_json::array();
  bool agrees = true;
  for (const auto& row : recipe.run(options, page)) {
    rows.push_back(to_json(row));
    agrees = agrees && row.agrees;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const ordered_json made_with = versions();
  const ordered_json result{
      {"recipe", recipe.name}, {"rows", rows}, {"seconds", seconds}, {"versions", made_with}};
  write_text_atomically(path, result.dump(2) + "\n");
  page.heading("How this was made");
  page.paragraph(c10::str(
      "optotorch reproduce ", recipe.name, " --seeds ", options.seeds,
      options.epochs > 0 ? c10::str(" --epochs ", options.epochs) : "", own_options(recipe, options),
      options.quick ? " --quick (a smoke run: its figures mean nothing)" : "", ", with OptoTorch ",
      made_with.at("optotorch").get<std::string>(), ", LibTorch ",
      made_with.at("libtorch").get<std::string>(), ", SIMD ", made_with.at("simd").get<std::string>(),
      ". The figures are in ", fs::path(path).filename().string(),
      "; each training has its configuration, log and "
      "weights in a folder beside this page."));
  page.write();
  const std::string end =
      c10::str(std::lround(seconds), " s in all; runs in ", options.out, ", results in ", path);
  log_line(options, end);
  std::printf("%s\npage: %s/index.html\n", end.c_str(), options.out.c_str());
  return agrees;
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
  command->add_option("--seeds", options->seeds, "Repetitions (default: the experiment's, often 1)")
      ->check(positive());
  command->add_option("--epochs", options->epochs, "Default: the experiment's")->check(positive());
  command
      ->add_option("--threads", options->threads,
                   "Threads that are busy at a time, without a say in the result (default: the cores)")
      ->check(positive());
  command->add_option("--out", options->out,
                      "Folder for page, runs and results; the same one again continues");
  command->add_option("--json", options->json_file, "Results (default: OUT/NAME.json)");
  command->add_flag("--quick", options->quick, "A smoke run of one epoch each");
  auto own = std::make_shared<std::map<std::string, std::string>>();
  for (const auto& recipe : recipes()) {
    for (const auto& option : recipe.options) {
      if (own->count(option.name) == 0) {
        const std::string usual = option.usual.empty() ? "" : " (default: " + option.usual + ")";
        command->add_option("--" + option.name, (*own)[option.name], option.description + usual)
            ->group("Options of '" + recipe.name + "'");
      }
    }
  }
  command->callback([options, name, list, own] {
    if (*list || name->empty()) {
      for (const auto& recipe : recipes()) {
        std::printf("%-16s %s\n", recipe.name.c_str(), recipe.description.c_str());
      }
      return;
    }
    const auto& recipe = find_by_name("optotorch", "NAME", recipes(), *name);
    if (options->seeds == 0) {
      options->seeds = options->quick ? 1 : recipe.seeds;
    }
    for (const auto& option : recipe.options) {
      const auto& given = own->at(option.name);
      options->own[option.name] = given.empty() ? option.usual : given;
    }
    for (const auto& [option, value] : *own) {
      OPTOTORCH_CHECK(value.empty() || options->own.count(option) != 0, .where = "optotorch",
                      .argument = "--" + option, .expected = "none for '" + recipe.name + "'", .got = value);
    }
    if (!reproduce(recipe, *options)) {
      throw CLI::RuntimeError(1);
    }
  });
}

}  // namespace optotorch::tools
