// Trains every combination of some settings, each in a process of its own, or writes scripts that do.

#include <c10/util/StringUtil.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "optotorch/command.h"
#include "reproduce/compare.h"
#include "reproduce/details.h"
#include "reproduce/page.h"
#include "runs/folder_lock.h"
#include "runs/grid.h"
#include "runs/run_data.h"
#include "runs/validators.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

struct SweepOptions {
  std::string config, out, emit;
  std::vector<std::string> grid;
  int64_t seeds = 1, threads = 0;
};

constexpr char slurm_array[] = "slurm-array", parallel[] = "parallel";

struct Sweep {
  std::vector<GridAxis> axes;
  std::vector<GridPoint> points;
  std::vector<System> systems;  ///< one a point
  std::string data_root;
};

Sweep plan_of(const SweepOptions& options) {
  Sweep sweep;
  for (const auto& text : options.grid) {
    sweep.axes.push_back(parse_axis(text));
    const auto& name = sweep.axes.back().name;
    OPTOTORCH_CHECK(name != "seed" && name != "data-root" && name != "data_root", .where = "optotorch",
                    .argument = "--grid", .expected = "a setting that tells systems apart", .got = name,
                    .remedy = name == "seed" ? "--seeds N repeats every combination" : "It stands in CONFIG");
  }
  const auto base = read_settings(options.config);
  sweep.data_root = base.data_root;
  sweep.points = grid_points(sweep.axes);
  std::map<std::string, std::string> folders;
  for (const auto& point : sweep.points) {
    System system;
    system.title = point.title();
    system.config = at_point(base, point);
    resolve(system.config);  // every combination is looked at before the first is trained
    const auto [other, is_new] = folders.emplace(folder_name(system.title), system.title);
    OPTOTORCH_CHECK(is_new, .where = "optotorch", .argument = "--grid",
                    .expected = "combinations whose folders differ by letters and digits",
                    .got = "'" + other->second + "' and '" + system.title + "'",
                    .remedy = "Write one of the numbers another way");
    sweep.systems.push_back(std::move(system));
  }
  return sweep;
}

/// A training's settings, as `train_systems` has them.
RunConfig settings_of(const System& system, int64_t seed) {
  auto config = system.config;
  config.seed = seed;
  config.threads = std::max<int64_t>(config.threads, 1);
  return resolve(config).config;
}

/// `optotorch train` of a system and a seed, for a shell.
std::string command_line(const System& system, int64_t seed, const std::string& out) {
  const std::string program =
      program_invocation_name;  // by its name alone it is found in PATH, there as here
  std::vector<std::string> words{
      program.find('/') == std::string::npos ? program : fs::absolute(program).lexically_normal().string()};
  for (const auto& word : train_arguments(settings_of(system, seed))) {
    words.push_back(word);
  }
  const auto folder = out + "/" + folder_name(system.title) + (seed == 0 ? "" : c10::str("-seed", seed));
  words.insert(words.end(), {"--out", folder, "--resume", "--quiet"});
  for (auto& word : words) {
    word = shell_word(word);
  }
  return c10::Join(" ", words);
}

/// A script of all trainings: a job array for Slurm, or a line each for GNU parallel or xargs.
void emit(const Sweep& sweep, const SweepOptions& options) {
  const auto out = fs::absolute(options.out).lexically_normal().string();
  std::vector<std::string> lines;
  for (int64_t seed = 0; seed < options.seeds; ++seed) {
    for (const auto& system : sweep.systems) {
      lines.push_back(command_line(system, seed, out));
    }
  }
  std::error_code ignored;
  fs::create_directories(out, ignored);  // if it fails, writing says why
  if (options.emit == parallel) {
    const auto path = out + "/sweep.txt";
    write_text_atomically(path, c10::Join("\n", lines) + "\n");
    std::printf("wrote %s: %zu trainings; run them with: parallel < %s\n", path.c_str(), lines.size(),
                shell_word(path).c_str());
    return;
  }
  int64_t threads = 1;  // of a training
  for (const auto& system : sweep.systems) {
    threads = std::max(threads, settings_of(system, 0).threads);
  }
  const auto path = out + "/sweep.sbatch";
  std::string text = c10::str("#!/bin/bash\n#SBATCH --array=0-", lines.size() - 1,
                              "\n#SBATCH --job-name=optotorch-sweep\n#SBATCH --cpus-per-task=", threads,
                              "\n\n# One training a task; a task that is run again goes on.\n"
                              "case \"$SLURM_ARRAY_TASK_ID\" in\n");
  for (size_t n = 0; n < lines.size(); ++n) {
    text += c10::str("  ", n, ") exec ", lines[n], " ;;\n");
  }
  write_text_atomically(path, text + "esac\n");
  std::printf("wrote %s: %zu trainings; submit them with: sbatch %s\n", path.c_str(), lines.size(),
              shell_word(path).c_str());
}

std::string figure(const std::optional<double>& value, const std::string& metric) {
  return value ? in_figures(*value, metric) : "-";
}

double mean_of(const Outcome& outcome, std::optional<double> EpochReport::*value) {
  double sum = 0;
  for (const auto& run : outcome.runs) {
    sum += (run.epochs.back().*value).value_or(0);
  }
  return sum / static_cast<double>(outcome.runs.size());
}

/// Settings in columns, and what came of them.
void add_table(const Sweep& sweep, const std::vector<Outcome>& outcomes, Page& page) {
  std::vector<std::string> headers;
  for (const auto& axis : sweep.axes) {
    headers.push_back(axis.name);
  }
  for (const char* header : {"held back", "test", "spread", "s/epoch"}) {
    headers.emplace_back(header);
  }
  std::vector<std::vector<std::string>> rows;
  for (size_t n = 0; n < outcomes.size(); ++n) {
    const auto& outcome = outcomes[n];
    std::vector<std::string> row;
    for (const auto& [name, value] : sweep.points[n].values) {
      row.push_back(value);
    }
    const auto& last = outcome.runs.front().epochs.back();
    row.push_back(last.validation_accuracy
                      ? in_figures(mean_of(outcome, &EpochReport::validation_accuracy), last.metric)
                      : "-");
    row.push_back(figure(outcome.mean, outcome.metric));
    row.push_back(figure(outcome.spread, outcome.metric));
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.1f", outcome.seconds_per_epoch);
    row.emplace_back(seconds);
    rows.push_back(std::move(row));
  }
  page.heading("All combinations");
  page.paragraph(
      "After the last epoch, means over the seeds. Choose by the samples that were held back: the test set "
      "has then not been looked at.");
  page.table(headers, rows);
}

/// A picture for an axis of numbers: held back samples against it, a curve for every combination of the others.
void add_pictures(const Sweep& sweep, const std::vector<Outcome>& outcomes, Page& page) {
  for (size_t a = 0; a < sweep.axes.size(); ++a) {
    std::vector<double> numbers;
    for (const auto& value : sweep.axes[a].values) {
      char* end = nullptr;
      numbers.push_back(std::strtod(value.c_str(), &end));
      if (*end != '\0') {
        numbers.clear();
        break;
      }
    }
    if (numbers.size() < 2) {
      continue;
    }
    LinePlot plot{"against " + sweep.axes[a].name, sweep.axes[a].name, outcomes.front().metric, {}};
    std::vector<std::string> titles;
    for (size_t n = 0; n < outcomes.size(); ++n) {
      auto others = sweep.points[n];
      const auto here = others.values[a].second;
      others.values.erase(others.values.begin() + static_cast<std::ptrdiff_t>(a));
      const auto title = others.values.empty() ? "mean over seeds" : others.title();
      const auto found = std::find(titles.begin(), titles.end(), title);
      const auto k = static_cast<size_t>(found - titles.begin());
      if (found == titles.end()) {
        titles.push_back(title);
        plot.series.push_back({title, {}, {}});
      }
      plot.series[k].x.push_back(std::stod(here));
      plot.series[k].y.push_back(
          mean_of(outcomes[n], outcomes[n].runs.front().epochs.back().validation_accuracy
                                   ? &EpochReport::validation_accuracy
                                   : &EpochReport::test_accuracy));
    }
    page.plot(plot);
  }
}

void train(const Sweep& sweep, const SweepOptions& options) {
  const FolderLock lock(options.out, "another sweep");
  RecipeOptions as_recipe;
  as_recipe.data_root = sweep.data_root;
  as_recipe.seeds = options.seeds;
  as_recipe.threads = options.threads;
  as_recipe.out = options.out;
  Page page(options.out, c10::str("Sweep of ", options.config));
  const auto outcomes = train_systems(sweep.systems, as_recipe);
  print_table(outcomes);
  add_table(sweep, outcomes, page);
  add_pictures(sweep, outcomes, page);
  show(outcomes, page);
  page.write();
  std::printf("page: %s/index.html\n", options.out.c_str());
}

}  // namespace

void add_sweep(CLI::App& app) {
  auto* command = app.add_subcommand(
      "sweep", "Train every combination of some settings, or write the job scripts that do");
  auto options = std::make_shared<SweepOptions>();
  command
      ->add_option("CONFIG", options->config,
                   "Settings: a RUN folder, or a file as its config.json, whole or in part")
      ->required();
  command
      ->add_option(
          "--grid", options->grid,
          "SETTING=VALUE,VALUE,...: an option of train without dashes, or set.KEY of its rule; may come more "
          "than once")
      ->required()
      ->expected(1)
      ->take_all();
  command->add_option("--out", options->out, "Folder for runs and page; the same command continues")
      ->required();
  command->add_option("--seeds", options->seeds, "Repetitions of each, seeds 0, 1, ...")
      ->check(positive())
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Threads that are busy at a time (default: the cores)")
      ->check(positive());
  command
      ->add_option("--emit", options->emit,
                   "Train nothing, write OUT/sweep.sbatch (slurm-array) or OUT/sweep.txt (parallel)")
      ->check(one_of({slurm_array, parallel}));
  command->callback([options] {
    const auto sweep = plan_of(*options);
    if (options->emit.empty()) {
      train(sweep, *options);
    } else {
      emit(sweep, *options);
    }
  });
}

}  // namespace optotorch::tools
