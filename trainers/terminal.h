#pragma once

// Lines that redraw themselves on a terminal.

#include <cstddef>
#include <string>
#include <vector>

namespace optotorch {

/// Columns of the terminal that a file descriptor is; 80 if it is none, or does not know.
size_t terminal_columns(int descriptor);

/// "[######----]" for 0.6 and a width of 12, at least 3.
std::string progress_bar(double part, size_t width);

/// "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h": for people.
std::string in_time_units(double seconds);

/// A part of a line. What has the largest `rank` is left out first.
struct LinePart {
  /// Text in characters of one byte and one column each.
  std::string text;
  /// Order in which parts are left out, the largest first; of equals, the foremost.
  int rank = 0;
};

/// The parts in their order, two spaces between them, in fewer than `columns` characters: as many as fit, and
/// a last one that does not fit is cut.
std::string fitted_line(std::vector<LinePart> parts, size_t columns);

}  // namespace optotorch
