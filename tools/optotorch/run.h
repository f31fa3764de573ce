#pragma once

// A run: a folder with everything that is needed to repeat, continue or judge a training.

#include <optotorch/trainers/trainer.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "optotorch/presets.h"

namespace optotorch::tools {

/// What decides a run's result.
struct RunConfig {
  std::string dataset = "mnist";
  std::string data_root = "data";
  std::string model = "mnist-hybrid";
  std::string rule = "tpfp";
  int64_t epochs = 0, batch_size = 0;  ///< 0: the preset's
  double learning_rate = 0;            ///< 0: the preset's
  double validation = 0.05;            ///< fraction (below 1) or number of training images held back; 0: none
  int64_t seed = 0;
  int64_t threads = 0;     ///< 0: the preset's
  int64_t classes = 0;     ///< of the data set; filled in by train_run
  int64_t samples = 0;     ///< train on the first so many images at most; 0: all
  std::string start = {};  ///< a run or a folder of .npy whose meshes' phases it begins with
  Laboratory laboratory = {};
};

/// What happens on the way, without a say in the result.
struct RunOptions {
  std::string folder;
  bool resume = false;
  bool alignment = false;
  bool progress = true;
  double checkpoint_seconds = 30;
  int64_t checkpoint_steps = 0;
};

/// Fills in the preset's values and the number of threads. Throws c10::ValueError for unknown names and for
/// values out of their ranges.
RunConfig resolve(RunConfig config);

/// config.json: the configuration and the versions that it ran with.
nlohmann::ordered_json to_json(const RunConfig& config);
/// Throws c10::ValueError, naming the file, if it is missing or damaged.
RunConfig load_config(const std::string& folder);

/// What `optotorch train` is told to train just that: every option, but for those of a
/// laboratory that nobody changed.
std::vector<std::string> train_arguments(const RunConfig& config);

/// Throws c10::ValueError, naming the first difference, if the run in `folder` has another configuration.
/// Where its data lie does not matter.
void require_same_run(const RunConfig& config, const std::string& folder);

/// The epochs of a run so far; none if it has no log. Throws c10::ValueError if the log is damaged.
std::vector<EpochReport> load_metrics(const std::string& folder);

/// Versions of OptoTorch and LibTorch, the SIMD target and the number of threads.
nlohmann::ordered_json versions();

/// Trains what a resolved configuration says and writes config.json, metrics.jsonl, the checkpoint and
/// model.pt to the folder. Throws c10::ValueError if the folder holds something (but log.txt) and `resume` is
/// false, or holds another run.
FitResult train_run(RunConfig config, const RunOptions& options);

/// The network that a resolved configuration says, as it is before training: in a laboratory with its
/// corrections.
Hybrid make_network(const RunConfig& config);

/// The network of a run, with the weights of its last step (or of its best epoch on the validation set).
Hybrid load_model(const RunConfig& config, const std::string& folder, bool best = false);

/// A few images of the right shape, the same every time.
torch::Tensor example_input(const RunConfig& config, int64_t batch);

}  // namespace optotorch::tools
