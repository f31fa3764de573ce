#pragma once

// A run: a folder with everything that is needed to repeat, continue or judge a training.

#include <optotorch/trainers/trainer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "optotorch/run_config.h"

namespace optotorch::tools {

/// What happens on the way, without a say in the result.
struct RunOptions {
  std::string folder;
  bool resume = false;
  bool alignment = false;
  bool progress = true;
  double checkpoint_seconds = 30;
  int64_t checkpoint_steps = 0;
};

/// Trains what a resolved configuration says and writes config.json, metrics.jsonl, the checkpoint and
/// model.pt to the folder. Throws c10::ValueError if the folder holds something (but log.txt) and `resume` is
/// false, or holds another run.
FitResult train_run(RunConfig config, const RunOptions& options);

/// The epochs of a run so far; none if it has no log. Throws c10::ValueError if the log is damaged.
std::vector<EpochReport> load_metrics(const std::string& folder);

}  // namespace optotorch::tools
