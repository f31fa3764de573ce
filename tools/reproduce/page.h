#pragma once

// A recipe's page: HTML that needs no network and no script, with pictures drawn by gnuplot.

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "reproduce/plots.h"

namespace optotorch::tools {

struct GnuplotInput;

/// A page that grows from top to bottom: FOLDER/index.html, with pictures in FOLDER/pictures. Texts may hold
/// anything; they are shown as they are.
///
/// A picture is drawn when it is added. Its data and gnuplot script stay beside it. Without gnuplot the page
/// says what is missing and how to get it.
class Page {
 public:
  /// Nothing is written yet; `folder` must exist when a plot is added or the page is written.
  Page(std::string folder, std::string title);

  void heading(const std::string& text);
  void paragraph(const std::string& text);
  /// Line by line, as it stands.
  void verse(const std::string& text);

  /// Every row must have as many cells as there are headers. A column whose cells are all numbers (perhaps
  /// with a unit) is set flush right.
  void table(const std::vector<std::string>& headers, const std::vector<std::vector<std::string>>& rows);

  /// Where all x of a line plot are whole numbers, as epochs are, so are its ticks.
  /// Throws c10::ValueError if x and y (or the band) of a series differ in length, or if the matrix is none.
  /// Data without one finite value are named instead of drawn.
  void plot(const LinePlot& plot);
  void plot(const HeatMap& map);

  /// Writes index.html whole or not at all. Throws c10::ValueError if it can't.
  void write() const;

 private:
  void add(const std::string& title, const std::optional<GnuplotInput>& input);
  void close_figures();

  std::string folder_, title_, body_;
  int pictures_ = 0;
  bool in_figures_ = false, gnuplot_missing_ = false;
};

/// A title's name among files: its ASCII letters, in lower case, and digits, with '-' for all else.
std::string folder_name(const std::string& title);

}  // namespace optotorch::tools
