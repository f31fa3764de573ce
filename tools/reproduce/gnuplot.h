#pragma once

// Scripts for gnuplot. Every text is a quoted string without markup, so that nothing in it is obeyed.

#include <optional>
#include <string>

namespace optotorch::tools {

struct LinePlot;
struct HeatMap;

/// Nearly the size at which a page of two columns shows a picture, so that type is as large as it says.
constexpr int picture_width = 600, picture_height = 430;

struct GnuplotInput {
  std::string commands;  ///< with DATA (a string variable) for the data file
  std::string data;
};

/// Nothing if there is no finite value to draw. Throw c10::ValueError as Page::plot does.
std::optional<GnuplotInput> gnuplot_input(const LinePlot& plot);
std::optional<GnuplotInput> gnuplot_input(const HeatMap& map);

/// A script that draws NAME.svg, of picture_width x picture_height, from NAME.dat in the folder in which it
/// runs.
std::string gnuplot_script(const std::string& name, const GnuplotInput& input);

}  // namespace optotorch::tools
