#pragma once

// The settings of a run: what `optotorch train` is told, and what stands in config.json.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "runs/laboratory.h"

namespace optotorch::tools {

/// What decides a run's result.
struct RunConfig {
  std::string dataset = {};  ///< a name, or a text's file; empty: the preset's
  std::string data_root = "data";
  std::string model = "mnist-hybrid";
  std::string rule = "tpfp";
  int64_t epochs = 0, batch_size = 0;  ///< 0: the preset's
  double learning_rate = 0;            ///< 0: the preset's
  double validation = 0.05;            ///< fraction (below 1) or number of training images held back; 0: none
  int64_t seed = 0;
  int64_t threads = 0;  ///< 0: the preset's
  int64_t classes = 0;  ///< of the data set; filled in by train_run
  int64_t samples = 0;  ///< train on the first so many images at most; 0: all
  std::string matmul =
      {};  ///< "highest", "high" or "medium" precision of matrix products; empty: the preset's
  std::string start = {};  ///< a run or a folder of .npy whose meshes' phases it begins with
  Laboratory laboratory = {};
};

/// Fills in the preset's values and the number of threads, and makes places absolute. Throws c10::ValueError
/// for unknown names and for values out of their ranges.
RunConfig resolve(RunConfig config);

/// Writes config.json: the configuration and the versions that it runs with.
void save_config(const RunConfig& config, const std::string& folder);
/// A resolved configuration. Throws c10::ValueError, naming the file, if it is missing or damaged.
RunConfig load_config(const std::string& folder);
/// True if there is a config.json.
bool holds_config(const std::string& folder);

/// The settings with which the run in `folder` goes on: its own. Of what is `said`, only the options that
/// were `given` ("--lr") count: more epochs make the run longer, another data root or instrument says where
/// they are now, and how patiently an instrument is asked may change. Throws c10::ValueError if anything else
/// contradicts the run.
RunConfig continued(RunConfig said, const std::set<std::string>& given, const std::string& folder);

/// True if all settings agree.
bool is_same(const RunConfig& a, const RunConfig& b);

/// Sets the threads and the precision of matrix products that a resolved configuration says.
void use_settings(const RunConfig& config);

/// What `optotorch train` is told to train just that: every option, but for those of a
/// laboratory that nobody changed.
std::vector<std::string> train_arguments(const RunConfig& config);

/// Throws c10::ValueError, naming the first difference, if the run in `folder` has another configuration.
/// Where its data lie does not matter.
void require_same_run(const RunConfig& config, const std::string& folder);

}  // namespace optotorch::tools
