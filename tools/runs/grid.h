#pragma once

// A grid of trainings: every combination of some values of some settings.

#include <string>
#include <utility>
#include <vector>

#include "runs/run_config.h"

namespace optotorch::tools {

/// A setting, as `train` or config.json calls it ("lr", "learning_rate"), or an option of the rule ("set.gain"), and
/// its values.
struct GridAxis {
  std::string name;
  std::vector<std::string> values;
};

/// One combination: a value for each axis.
struct GridPoint {
  std::vector<std::pair<std::string, std::string>> values;

  /// "lr=0.01 rule=bp"
  std::string title() const;
};

/// "lr=1e-3,1e-2". Throws c10::ValueError without a name, values, or for a value that comes twice.
GridAxis parse_axis(const std::string& text);

/// All combinations, the last axis fastest. Throws c10::ValueError for a setting that comes twice and for more than
/// `most` points.
std::vector<GridPoint> grid_points(const std::vector<GridAxis>& axes, size_t most = 100'000);

/// The configuration with a point's values. Throws c10::ValueError for settings that `train` does not know (it
/// names the nearest), for those of another type and out of their ranges.
RunConfig at_point(RunConfig config, const GridPoint& point);

/// Settings in a file as config.json, or in that of a RUN folder; those that it does not name are the defaults.
/// Throws c10::ValueError for a file that is none, and for names and types that no setting has.
RunConfig read_settings(const std::string& path);

}  // namespace optotorch::tools
