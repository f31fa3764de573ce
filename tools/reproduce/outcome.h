#pragma once

// A system that is trained with several seeds, and what came of it.

#include <optotorch/trainers/trainer.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

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

}  // namespace optotorch::tools
