#pragma once

// The settings of a run: what `optotorch train` is told, and what stands in config.json; and what they mean.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "runs/laboratory.h"
#include "runs/network.h"
#include "runs/rules.h"

namespace optotorch::tools {

/// Settings that decide a run's result. Settings: settings.h.
struct RunConfig {
  std::string dataset = {};  ///< a name, or a text's file; empty: the network's
  std::string data_root = "data";
  std::string network = "mnist-hybrid";  ///< a name, or a file
  std::string rule = "tpfp";
  std::vector<std::string> set = {};   ///< options of the rule, "key=value"
  int64_t epochs = 0, batch_size = 0;  ///< 0: the network's
  double learning_rate = 0;            ///< 0: the network's
  double validation = 0.05;            ///< fraction (below 1) or number of training images held back; 0: none
  int64_t seed = 0;
  int64_t threads = 0;                              ///< 0: the network's
  std::string device = "cpu";                       ///< by LibTorch's name for it
  int64_t classes = 0;                              ///< of the data set; filled in by train_run
  std::vector<int64_t> input = {};                  ///< shape of one of its images, likewise; of a text empty
  int64_t samples = 0;                              ///< train on the first so many images at most; 0: all
  std::string transform = {}, test_transform = {};  ///< of images, JSON or a file of it; empty: the network's
  int64_t workers = 0;                              ///< threads that prepare batches ahead
  std::string matmul = {};                          ///< precision of matrix products; empty: the network's
  std::string start = {};  ///< a run or a folder of .npy whose meshes' phases it begins with
  Laboratory laboratory = {};
};

/// A run whose names have been looked up: everything below takes the things themselves.
struct Run {
  RunConfig config;  ///< complete
  Network network;
  const NamedRule* rule = nullptr;
  bool in_laboratory = false;  ///< the network's stages are measured

  const Training& training() const { return network.training; }
};

/// Looks up names, fills in the network's values, and makes places absolute. What is said of a laboratory
/// counts where it is not the default, or its option was `given` ("--splitter"). Throws c10::ValueError for
/// unknown names and for values out of their ranges.
Run resolve(const RunConfig& config, const std::set<std::string>& given = {});
/// The same with a network that is at hand.
Run resolve(RunConfig config, Network network, const std::set<std::string>& given = {});

/// Writes config.json and network.json into the folder, atomically.
void save_run(const Run& run, const std::string& folder);

/// Reads the run in a folder. One of a version that wrote no network.json is of an installed network. Throws
/// c10::ValueError if there is none, or if it is damaged.
Run load_run(const std::string& folder);

/// Its settings alone.
RunConfig load_config(const std::string& folder);
/// True if there is a config.json.
bool holds_config(const std::string& folder);

/// The run in `folder` as it goes on: with its own settings. Of what is `said`, only the options that were
/// `given` ("--lr") count: more epochs make the run longer, another data root or instrument says where they
/// are now, and how patiently an instrument is asked may change. Throws c10::ValueError if anything else
/// contradicts the run.
Run continued(RunConfig said, const std::set<std::string>& given, const std::string& folder);

/// True if all settings agree.
bool is_same(const RunConfig& a, const RunConfig& b);

/// Sets the threads and the precision of matrix products that a resolved configuration says.
void use_settings(const RunConfig& config);

/// Arguments by which `optotorch train` trains just that: every option, but for those that nobody changed.
std::vector<std::string> train_arguments(const RunConfig& config);

/// Throws c10::ValueError, naming the first difference, if the run in `folder` has another configuration.
/// Where its data lie does not matter.
void require_same_run(const RunConfig& config, const std::string& folder);

}  // namespace optotorch::tools
