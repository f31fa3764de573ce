#pragma once

// What the recipes of drifting hardware share.

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/rules/rule.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reproduce/outcome.h"
#include "reproduce/page.h"
#include "reproduce/recipe.h"
#include "runs/run_config.h"

namespace optotorch::tools {

/// Care that is taken of a laboratory every hour.
struct Care {
  std::string name;
  /// Trains or calibrates the network, whose system has drifted to that hour; nullptr: nothing is done.
  std::function<void(HybridImpl& model, const BatchSource& train, int hour)> take;
};

/// What drifts, and how it is looked at.
struct Drifting {
  Run run;             ///< with the drift in its imperfections
  std::string folder;  ///< of the run that was trained at hour 0
  int hours = 10;
  int64_t batch_size = 500;
  int64_t images = 0;  ///< of the test set that are measured; 0: all
};

/// Watches the accuracy hour by hour under every care, each from the network of hour 0: a table and curves on the page,
/// a row a care.
std::vector<RecipeRow> watch_drift(const Drifting& drifting, const std::vector<Care>& cares,
                                   const RecipeOptions& options, Page& page);

/// Steps of a rule on the hour's own batches of the training set.
std::function<void(HybridImpl&, const BatchSource&, int)> train_every_hour(std::shared_ptr<Rule> rule,
                                                                           int64_t steps, double rate);

}  // namespace optotorch::tools
