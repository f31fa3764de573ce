#pragma once

// Content of a picture: data and words, nothing of how it is drawn.

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

namespace optotorch::tools {

/// A line of a plot: x and y are equally long. Values that are not finite leave a gap.
struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};  ///< a band around the line, as long as it; empty: none
};

struct LinePlot {
  std::string title, x_label, y_label;
  std::vector<Series> series = {};
  bool log_x = false, log_y = false;  ///< what is not positive then leaves a gap
};

/// A matrix as a picture.
struct HeatMap {
  std::string title, x_label, y_label;
  at::Tensor values;                            ///< real, [rows, columns]; NaN stays blank
  bool numbers = false;                         ///< write the values into the cells
  bool cyclic = false;                          ///< least and most are the same, as of angles
  std::optional<double> least = {}, most = {};  ///< ends of the colour scale; default: the values'
  std::vector<std::string> row_names = {}, column_names = {};  ///< default: numbers
  std::optional<double> x0 = {}, x1 = {};  ///< where the first and last column stand; default: 0, ...
  std::optional<double> y0 = {}, y1 = {};  ///< where the first and last row stand; default: 0, ...
  bool first_row_on_top = true;            ///< as a matrix is written; false: as an axis grows
};

}  // namespace optotorch::tools
