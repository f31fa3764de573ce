#pragma once

// A run in TensorBoard.

#include <optotorch/trainers/tensorboard.h>
#include <optotorch/trainers/trainer.h>

#include <memory>
#include <string>

#include "runs/run_config.h"

namespace optotorch::tools {

/// Event files in a folder: curves of every epoch, histograms of all parameters, phases of meshes as pictures,
/// the network and the settings as text; at the end the confusion matrix and the row of hyperparameters.
class Dashboard {
 public:
  /// `epochs`: how many are done already, of a run that is continued.
  Dashboard(const Run& run, const std::string& folder, int64_t epochs);

  void show(const EpochReport& report, HybridImpl& model);

  /// `test` may be null.
  void end(const EpochReport& last, HybridImpl& model, const BatchSource* test);

 private:
  RunConfig config_;
  TensorBoardWriter writer_;
};

}  // namespace optotorch::tools
