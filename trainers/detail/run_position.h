#pragma once

#include <optotorch/trainers/trainer.h>

#include <map>
#include <string>
#include <vector>

namespace optotorch {

/// Where a run stands: everything that is not in model, optimiser, rule or generator.
struct RunPosition {
  int64_t epoch = 0;  ///< running, counted from 0
  int64_t batch = 0;  ///< next in that epoch
  double loss_sum = 0, accuracy_sum = 0, seconds = 0;
  int64_t samples = 0;
  std::vector<double> alignment;
  std::map<std::string, double> measure_sums;
  FitResult result;

  std::string to_json(const std::string& metric) const;

  /// Its inverse, for a run of so many epochs with `per_epoch` batches each. Throws c10::ValueError, naming
  /// the file at `path`, for anything else, a position beyond that run, another metric, and reports that are
  /// not those of its epochs.
  static RunPosition from_json(const std::string& text, const std::string& path, const std::string& metric,
                               int64_t epochs, int64_t per_epoch);
};

}  // namespace optotorch
