#include "reproduce/compare.h"

#include <optotorch/core/check.h>
#include <optotorch/core/detail/printable.h>
#include <optotorch/trainers/terminal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/Error.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "reproduce/details.h"
#include "reproduce/process.h"
#include "runs/folder_lock.h"
#include "runs/run.h"
#include "runs/run_data.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

constexpr int64_t quick_samples = 1000;
constexpr size_t shown_log_lines = 5;
constexpr double seconds_to_end = 60;         // of a training that was asked to
constexpr double seconds_between_lines = 60;  // of progress, where there is no terminal

RunConfig configure(const System& system, const RecipeOptions& options, int64_t seed) {
  RunConfig config = system.config;
  config.data_root = options.data_root;
  config.seed = seed;
  if (system.adjust != nullptr) {
    system.adjust(config, seed);
  }
  config.threads = std::max<int64_t>(config.threads, 1);
  config.epochs = options.epochs > 0 ? options.epochs : config.epochs;
  if (options.quick) {
    config.epochs = 1;
    config.samples = config.samples == 0 ? quick_samples : std::min(config.samples, quick_samples);
  }
  return resolve(config).config;
}

std::vector<Outcome> plan(const std::vector<System>& systems, const RecipeOptions& options) {
  std::vector<Outcome> outcomes;
  std::set<std::string> names{"pictures"};
  for (const auto& system : systems) {
    const std::string name = folder_name(system.title);
    OPTOTORCH_CHECK(!name.empty() && names.insert(name).second, .where = "compare", .argument = "title",
                    .expected = "letters or digits that no other system has",
                    .got = "'" + system.title + "'");
    Outcome outcome{system, {}};
    for (int64_t seed = 0; seed < std::min(options.seeds, system.seeds); ++seed) {
      const std::string folder = options.out + "/" + name + (seed == 0 ? "" : "-seed" + std::to_string(seed));
      outcome.runs.push_back({folder, configure(system, options, seed), {}});
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

/// True if a run needs nothing more. Throws if its folder holds another.
bool is_finished(SeedRun& run) {
  if (!fs::exists(run.folder + "/config.json")) {
    return false;
  }
  const auto begun = load_run(run.folder);
  run.config.classes = begun.config.classes;  // those are the data set's say
  run.config.input = begun.config.input;
  require_same_run(run.config, run.folder);
  run.epochs = load_metrics(run.folder);
  const bool exported = begun.in_laboratory || fs::exists(run.folder + "/model.pt");
  return exported && static_cast<int64_t>(run.epochs.size()) == run.config.epochs;
}

Job job_of(const SeedRun& run, bool alignment) {
  auto arguments = train_arguments(run.config);
  arguments.insert(arguments.begin(), "/proc/self/exe");
  arguments.insert(arguments.end(), {"--out", run.folder, "--resume"});
  if (alignment) {
    arguments.emplace_back("--alignment");
  }
  return {{arguments, "", run.folder + "/log.txt"}, static_cast<int>(run.config.threads)};
}

/// The end of what a failed training said, on standard error.
void show_last_lines(const std::string& path) {
  std::ifstream file(path);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > shown_log_lines) {
      lines.pop_front();
    }
  }
  std::fprintf(stderr, "the end of %s:\n", printable(path).c_str());
  for (const auto& line : lines) {
    std::fprintf(stderr, "  %s\n", printable(line).c_str());
  }
}

/// Tells how far the trainings are: a line for each that ends, and a line on a terminal that redraws itself.
class Watcher : public JobWatcher {
 public:
  Watcher(const RecipeOptions& options, std::vector<Outcome>& outcomes)
      : options_(options), terminal_(::isatty(STDERR_FILENO) == 1) {
    for (auto& outcome : outcomes) {
      for (auto& run : outcome.runs) {
        whole_ += run.config.epochs;
        ++runs_;
        if (is_finished(run)) {
          ++finished_;
        } else {
          jobs_.push_back(job_of(run, outcome.system.measure_alignment));
          open_.push_back({outcome.system.title, &run});
        }
        before_ += static_cast<int64_t>(run.epochs.size());
      }
    }
    // The same training first for every system, then its repetitions.
    std::vector<size_t> order(jobs_.size());
    for (size_t i = 0; i < order.size(); ++i) {
      order[i] = i;
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return open_[a].run->config.seed < open_[b].run->config.seed;
    });
    const auto jobs = jobs_;
    const auto open = open_;
    for (size_t i = 0; i < order.size(); ++i) {
      jobs_[i] = jobs[order[i]];
      open_[i] = open[order[i]];
    }
  }

  const std::vector<Job>& jobs() const { return jobs_; }
  const std::string& failure() const { return failure_; }

  void begin() {
    if (finished_ > 0) {
      tell(options_, c10::str(finished_, " of ", runs_, " trainings are finished already"));
    }
    for (const auto& job : open_) {
      std::error_code error;
      fs::create_directories(job.run->folder, error);  // if it fails, opening the log says why
      // A training of a killed recipe has yet to end.
      const FolderLock free(job.run->folder, "another training", seconds_to_end);
    }
  }

  void ended(size_t job) override {
    auto& run = *open_[job].run;
    run.epochs = load_metrics(run.folder);
    ++finished_;
    clear_line();
    const auto figure = run.epochs.empty() ? "-"
                                           : in_figures(run.epochs.back().test_accuracy.value_or(0),
                                                        run.epochs.back().metric);
    tell(options_, c10::str(finished_, "/", runs_, "  ", open_[job].title, ", seed ", run.config.seed, ": ",
                            figure, left()));
  }

  void failed(size_t job, const std::string& how) override {
    clear_line();
    const std::string log = open_[job].run->folder + "/log.txt";
    show_last_lines(log);
    failure_ = open_[job].title + ": the training ended with " + how + ", as " + log + " tells";
  }

  void tick() override {
    const auto now = Clock::now();
    if (std::chrono::duration<double>(now - told_).count() < (terminal_ ? 0.5 : seconds_between_lines)) {
      return;
    }
    told_ = now;
    count_epochs();
    const std::string text =
        c10::str(finished_, "/", runs_, " trainings, ", epochs_, "/", whole_, " epochs", left());
    if (terminal_) {
      constexpr size_t bar = 22;
      const double part = static_cast<double>(epochs_) / static_cast<double>(std::max<int64_t>(whole_, 1));
      const auto line =
          fitted_line({{progress_bar(part, bar), 1}, {text, 0}}, terminal_columns(STDERR_FILENO));
      std::fprintf(stderr, "\r\033[K%s", line.c_str());
      std::fflush(stderr);
    } else {
      tell(options_, text);
    }
  }

  void clear_line() const {
    if (terminal_) {
      std::fputs("\r\033[K", stderr);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Open {
    std::string title;
    SeedRun* run;
  };

  void count_epochs() {
    for (auto& job : open_) {
      job.run->epochs = load_metrics(job.run->folder);
    }
    epochs_ = 0;
    for (const auto& job : open_) {
      epochs_ += static_cast<int64_t>(job.run->epochs.size()) - job.run->config.epochs;
    }
    epochs_ += whole_;
  }

  /// ", 12 s left" as soon as anything can be said.
  std::string left() {
    count_epochs();
    const auto now_done = static_cast<double>(epochs_ - before_);
    if (now_done <= 0 || epochs_ == whole_) {
      return "";
    }
    const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
    const double seconds = elapsed * static_cast<double>(whole_ - epochs_) / now_done;
    return seconds < 120 ? c10::str(", ", std::lround(seconds), " s left")
                         : c10::str(", ", std::lround(seconds / 60), " min left");
  }

  const RecipeOptions& options_;
  bool terminal_;
  std::vector<Job> jobs_;
  std::vector<Open> open_;
  std::string failure_;
  int runs_ = 0, finished_ = 0;
  int64_t whole_ = 0, before_ = 0, epochs_ = 0;
  Clock::time_point start_ = Clock::now(), told_ = start_;
};

void summarise(Outcome& outcome) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double sum = 0, seconds = 0, least = infinity, most = -infinity;
  size_t epochs = 0;
  for (const auto& run : outcome.runs) {
    const double accuracy = run.epochs.back().test_accuracy.value_or(0);
    sum += accuracy;
    least = std::min(least, accuracy);
    most = std::max(most, accuracy);
    for (const auto& epoch : run.epochs) {
      seconds += epoch.seconds;
    }
    epochs += run.epochs.size();
  }
  outcome.metric = outcome.runs.front().epochs.back().metric;
  outcome.mean = sum / static_cast<double>(outcome.runs.size());
  outcome.spread = most - least;
  outcome.least = least;
  outcome.most = most;
  outcome.seconds_per_epoch = seconds / static_cast<double>(epochs);
}

}  // namespace

std::vector<System> systems_of(const std::string& model, const std::vector<RuleRow>& rows) {
  std::vector<System> systems;
  for (const auto& [title, rule, note] : rows) {
    systems.push_back({.title = title, .config = {.network = model, .rule = rule}, .note = note});
  }
  return systems;
}

std::vector<Outcome> train_systems(const std::vector<System>& systems, const RecipeOptions& options) {
  const char* const ranks = std::getenv("WORLD_SIZE");
  OPTOTORCH_CHECK(ranks == nullptr || std::string(ranks) == "1", .where = "compare", .argument = "WORLD_SIZE",
                  .expected = "none: every training is a process of its own", .got = ranks,
                  .remedy = "Start it once, without torchrun or srun");
  auto outcomes = plan(systems, options);
  Watcher watcher(options, outcomes);
  watcher.begin();
  const auto threads = options.threads > 0 ? options.threads : std::thread::hardware_concurrency();
  const bool finished = run_jobs(watcher.jobs(), std::max(1, static_cast<int>(threads)), watcher);
  watcher.clear_line();
  if (!watcher.failure().empty()) {
    log_line(options, watcher.failure());
    reject({.where = "compare",
            .argument = "training",
            .expected = "success",
            .got = watcher.failure(),
            .remedy = "The same command continues the others"});
  }
  if (!finished) {
    tell(options, "interrupted; the same command continues");
    throw CLI::RuntimeError(interrupted_exit_code);
  }
  for (auto& outcome : outcomes) {
    for (auto& run : outcome.runs) {
      OPTOTORCH_CHECK(is_finished(run), .where = "compare", .argument = run.folder,
                      .expected = "a finished training", .got = "an unfinished one",
                      .remedy = "See its log.txt; the same command continues it");
    }
    summarise(outcome);
  }
  return outcomes;
}

std::vector<Outcome> compare(const std::vector<System>& systems, const RecipeOptions& options, Page& page) {
  auto outcomes = train_systems(systems, options);
  print_table(outcomes);
  show(outcomes, page);
  return outcomes;
}

std::vector<RecipeRow> rows_of(const std::vector<Outcome>& outcomes) {
  std::vector<RecipeRow> rows;
  for (const auto& outcome : outcomes) {
    rows.push_back({outcome.system.title, outcome.system.published, outcome.mean, outcome.spread,
                    static_cast<int64_t>(outcome.runs.size()), "last epoch"});
  }
  return rows;
}

}  // namespace optotorch::tools
