#pragma once

// Trains several systems with several seeds and puts what was published beside what is measured.

#include <optotorch/trainers/trainer.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "reproduce/page.h"
#include "reproduce/recipe.h"
#include "runs/run_config.h"

namespace optotorch::tools {

/// One line of the comparison.
struct System {
  std::string title;  ///< names the run's folder, too: "TPFP, depth 4" trains in OUT/tpfp-depth-4
  RunConfig config;   ///< 0 and defaults as in `train`, but threads: 0 means 1
  std::optional<double> published = {};  ///< accuracy, 0 to 1, or what the network's metric is
  bool measure_alignment = false;
  bool details = false;   ///< confusion matrix and phases of the final network of seed 0
  std::string note = {};  ///< what the table can't say
  int64_t seeds = std::numeric_limits<int64_t>::max();  ///< at most; fewer than asked for what takes long
  void (*adjust)(RunConfig& config, int64_t seed) = nullptr;  ///< what a seed changes beyond itself
};

/// Systems of one network, which differ by their rules.
struct RuleRow {
  const char *title, *rule, *note;
};
std::vector<System> systems_of(const std::string& model, const std::vector<RuleRow>& rows);

/// One training.
struct SeedRun {
  std::string folder;
  RunConfig config;  ///< as it was trained
  std::vector<EpochReport> epochs = {};
};

struct Outcome {
  System system;
  std::vector<SeedRun> runs = {};   ///< seeds 0, 1, ...
  std::string metric = "accuracy";  ///< of the test set, after the last epoch
  double mean = 0, spread = 0;      ///< of it; largest minus smallest
  double least = 0, most = 0;       ///< of it
  double seconds_per_epoch = 0;     ///< of training, mean over all epochs of all runs
};

/// Trains every system with the seeds 0 ... options.seeds - 1 (or as many as it allows).
///
/// options.data_root, epochs (if given) and quick (one epoch of at most 1,000 images) override the systems'.
/// Each training is a process of its own, `optotorch train` with every option explicit, in OUT/TITLE or
/// OUT/TITLE-seedN; its standard output and error are appended to log.txt there. options.threads (0: the
/// number of cores) threads are busy at a time; a training has one unless config.threads says otherwise, so
/// that results do not depend on options.threads. Runs that are finished in OUT are kept, others continued.
///
/// Throws c10::ValueError, with nothing started, if a title names no folder of its own or a folder in OUT
/// holds another run; and, after the other trainings were asked to stop, if one fails. After Ctrl-C the
/// trainings leave checkpoints, and CLI::RuntimeError carries the exit code.
std::vector<Outcome> train_systems(const std::vector<System>& systems, const RecipeOptions& options);

/// Does so, prints a table and adds to the page: the table, curves, and what a system asks for.
std::vector<Outcome> compare(const std::vector<System>& systems, const RecipeOptions& options, Page& page);

/// What goes into the recipe's JSON.
std::vector<RecipeRow> rows_of(const std::vector<Outcome>& outcomes);

}  // namespace optotorch::tools
