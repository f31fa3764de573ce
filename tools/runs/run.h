#pragma once

// A run: a folder with everything that is needed to repeat, continue or judge a training.

#include <optotorch/trainers/distributed.h>
#include <optotorch/trainers/trainer.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runs/run_config.h"

namespace optotorch::tools {

/// Options of the way, without a say in the result.
struct RunOptions {
  std::string folder;
  bool resume = false;
  std::set<std::string> given = {};  ///< options of `train` that the user gave, "--lr"
  bool alignment = false;
  bool progress = true;
  double checkpoint_seconds = 30;
  int64_t checkpoint_steps = 0;
  bool tensorboard = false;  ///< event files in FOLDER/tensorboard
  /// Ranks that train together; rank 0 writes to the folder, which all must see. Null: this process alone.
  std::shared_ptr<Distributed> ranks = nullptr;

  bool is_first_rank() const { return ranks == nullptr || ranks->rank() == 0; }
};

/// The program's exit code after a signal asked for an end, as shells expect it of Ctrl-C.
constexpr int interrupted_exit_code = 130;

/// End of a training at an instrument whose last whole step is saved.
struct InstrumentLost {
  std::string why;
};

/// Trains what is said (see `resolve`) and writes config.json, metrics.jsonl, the checkpoint and model.pt to
/// the folder; with `resume` it goes on with the run in it (see `continued`). One process at a time works in
/// a folder. Throws c10::ValueError if the folder holds something (but log.txt) and `resume` is false, if it
/// holds another run, or if another training is at work in it. What fails before the first checkpoint of a
/// new run leaves nothing behind. Throws InstrumentLost where measuring failed and the run can go on, and
/// RankEnded where another rank says why all end.
FitResult train_run(const RunConfig& said, const RunOptions& options);

/// The epochs of a run so far; none if it has no log. Throws c10::ValueError if the log is damaged.
std::vector<EpochReport> load_metrics(const std::string& folder);

}  // namespace optotorch::tools
