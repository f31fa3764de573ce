#include "reproduce/gnuplot.h"

#include <ATen/ATen.h>
#include <optotorch/core/check.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numbers>
#include <tuple>
#include <vector>

#include "reproduce/plots.h"

namespace optotorch::tools {
namespace {

// Up to so many points in a line each gets a mark.
constexpr size_t marked_points = 40;
// Up to so many cells each is a rectangle; more are one embedded image.
constexpr int64_t most_rectangles = 10'000;

/// In single quotes gnuplot obeys nothing but the quote, which is doubled.
std::string in_quotes(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') {
      result += "''";
    } else {
      result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return result + "'";
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return std::isnan(value) ? "NaN" : text;
}

std::string labels(const std::string& title, const std::string& x, const std::string& y) {
  return "set title " + in_quotes(title) + " offset 0,-0.4\nset xlabel " + in_quotes(x) +
         " offset 0,0.5\nset ylabel " + in_quotes(y) + "\n";
}

void check_lengths(const Series& series) {
  const bool banded = !series.low.empty() || !series.high.empty();
  const size_t size = series.x.size();
  OPTOTORCH_CHECK(series.y.size() == size, .where = "Page::plot", .argument = "series",
                  .expected = "as many y as x",
                  .got = c10::str(series.y.size(), " y and ", size, " x in '", series.name, "'"));
  OPTOTORCH_CHECK(!banded || (series.low.size() == size && series.high.size() == size), .where = "Page::plot",
                  .argument = "series", .expected = "as many low and high as x",
                  .got = c10::str(series.low.size(), " low, ", series.high.size(), " high and ", size,
                                  " x in '", series.name, "'"));
}

/// 1, 2, 5, 10, ...: the first with which there are twelve ticks at most.
double whole_step(double width) {
  for (double decade = 1;; decade *= 10) {
    for (const double step : {decade, 2 * decade, 5 * decade}) {
      if (width / step < 12) {
        return step;
      }
    }
  }
}

/// Range of an axis.
class Extent {
 public:
  void include(double value) {
    least_ = std::min(least_, value);
    most_ = std::max(most_, value);
    whole_ = whole_ && value == std::floor(value);
  }

  /// Range and ticks, with some room at both ends.
  std::string axis(const std::string& name, bool logarithmic) const {
    if (logarithmic) {
      // With one tick or none nobody can read the scale: then it is a linear axis.
      if (const auto ticks = logarithmic_ticks(); ticks.size() > 1) {
        std::string list;
        for (const double tick : ticks) {
          list += (list.empty() ? "" : ", ") + in_quotes(number(tick)) + " " + number(tick);
        }
        const double room = std::pow(most_ / least_, margin);
        return "set logscale " + name + "\nset " + name + "range [" + number(least_ / room) + ":" +
               number(most_ * room) + "]\nset " + name + "tics (" + list + ")\n";
      }
    }
    const bool whole = name == "x" && whole_;
    const double width = most_ - least_;
    if (width == 0 && !whole) {
      return "";  // gnuplot widens it
    }
    const double room = width == 0 ? 0.5 : margin * width;
    return "set " + name + "range [" + number(least_ - room) + ":" + number(most_ + room) + "]\n" +
           (whole ? "set " + name + "tics " + number(whole_step(width)) + "\n" : "");
  }

 private:
  static constexpr double margin = 0.03;

  /// Powers of ten; within three decades 1, 2, 5, ...; within one 1, 2, 3, ...; eight at most.
  std::vector<double> logarithmic_ticks() const {
    const double decades = std::log10(most_ / least_), room = std::pow(most_ / least_, margin);
    const std::vector<int> factors = decades > 3   ? std::vector{1}
                                     : decades > 1 ? std::vector{1, 2, 5}
                                                   : std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9};
    std::vector<double> ticks;
    const int last = static_cast<int>(std::floor(std::log10(most_ * room)));
    for (int power = static_cast<int>(std::floor(std::log10(least_ / room))); power <= last; ++power) {
      for (const int factor : factors) {
        const double tick = factor * std::pow(10, power);
        if (tick >= least_ / room && tick <= most_ * room) {
          ticks.push_back(tick);
        }
      }
    }
    std::vector<double> few;
    const size_t every = (ticks.size() + most_ticks - 1) / most_ticks;
    for (size_t i = 0; i < ticks.size(); i += every) {
      few.push_back(ticks[i]);
    }
    return few;
  }
  static constexpr size_t most_ticks = 8;

  double least_ = std::numeric_limits<double>::infinity(), most_ = -least_;
  bool whole_ = true;
};

/// "('a' 0, 'b' 1)": where names stand on an axis. A name there is a format, in which %% is a per cent sign.
std::string tics(const std::vector<std::string>& names) {
  std::string result;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string name;
    for (const char c : names[i]) {
      name.append(c == '%' ? 2 : 1, c);
    }
    result += (i == 0 ? "" : ", ") + in_quotes(name) + " " + std::to_string(i);
  }
  return "(" + result + ")";
}

/// Where cells stand along an axis: cell i is centred at first + i step.
struct Axis {
  double first = 0, step = 1;
  int64_t cells = 1;

  Axis(std::optional<double> begin, std::optional<double> end, int64_t count)
      : first(begin.value_or(0)), cells(count) {
    const double last = end.value_or(first + static_cast<double>(count - 1));
    step = count > 1 && last != first ? (last - first) / static_cast<double>(count - 1) : 1;
  }

  std::string position(const std::string& column) const {
    return "(" + number(first) + "+" + number(step) + "*$" + column + ")";
  }

  std::string range(bool backwards) const {
    const std::string begin = number(first - step / 2);
    const std::string end = number(first + (static_cast<double>(cells) - 0.5) * step);
    return "[" + (backwards ? end + ":" + begin : begin + ":" + end) + "]";
  }
};

std::string palette(const HeatMap& map) {
  if (map.numbers) {
    return "set palette defined (0 '#ffffff', 0.5 '#7fb0d8', 1 '#0b4f8a')\n";
  }
  if (map.cyclic) {
    return "set palette defined (0 '#e2d9e2', 0.25 '#6276ba', 0.5 '#2f1436', 0.75 '#b25652', 1 '#e2d9e2')\n";
  }
  return "set palette defined (0 '#440154', 0.25 '#3b528b', 0.5 '#21918c', 0.75 '#5ec962', 1 '#fde725')\n";
}

}  // namespace

std::optional<GnuplotInput> gnuplot_input(const LinePlot& plot) {
  GnuplotInput input;
  Extent x, y;
  std::string bands, lines;
  int drawn = 0;
  for (const auto& series : plot.series) {
    check_lengths(series);
    const bool banded = !series.low.empty();
    size_t points = 0;
    std::string data;
    for (size_t i = 0; i < series.x.size(); ++i) {
      std::vector<double> point{series.x[i], series.y[i]};
      if (banded) {
        point.insert(point.end(), {series.low[i], series.high[i]});
      }
      const bool visible =
          std::all_of(point.begin(), point.end(), [](double value) { return std::isfinite(value); }) &&
          (!plot.log_x || point[0] > 0) &&
          (!plot.log_y || *std::min_element(point.begin() + 1, point.end()) > 0);
      points += visible ? 1 : 0;
      for (size_t k = 0; k < point.size(); ++k) {
        if (visible) {
          (k == 0 ? x : y).include(point[k]);
        }
        data += (k == 0 ? "" : " ") + number(visible ? point[k] : std::nan(""));
      }
      data += "\n";
    }
    if (points == 0) {
      continue;
    }
    // Two blank lines divide the file into the parts that `index` counts.
    input.data += (drawn == 0 ? "" : "\n\n") + data;
    const std::string part = "DATA index " + std::to_string(drawn),
                      colour = " lt " + std::to_string(drawn + 1);
    if (banded) {
      bands += part + " using 1:3:4 with filledcurves fs transparent solid 0.2 noborder" + colour +
               " notitle, \\\n  ";
    }
    lines += (drawn == 0 ? "" : ", \\\n  ") + part + " with " +
             (points <= marked_points ? "linespoints pt 7 ps 0.5" : "lines") + colour + " lw 2 title " +
             in_quotes(series.name);
    ++drawn;
  }
  if (drawn == 0) {
    return std::nullopt;
  }
  input.commands = labels(plot.title, plot.x_label, plot.y_label) + "set grid lc rgb '#e3e5e7' lt 1\n" +
                   x.axis("x", plot.log_x) + y.axis("y", plot.log_y);
  input.commands += drawn == 1 && plot.series.front().name.empty() ? "unset key\n" : "";
  // Lines lie on all bands.
  input.commands += "plot " + bands + lines + "\n";
  return input;
}

std::optional<GnuplotInput> gnuplot_input(const HeatMap& map) {
  OPTOTORCH_CHECK(
      map.values.defined() && map.values.dim() == 2 && map.values.numel() > 0 && !map.values.is_complex(),
      .where = "Page::plot", .argument = "values", .expected = "real [rows, columns]",
      .got = map.values.defined() ? describe(map.values) : "none");
  const at::Tensor values = map.values.detach().to(at::kCPU, at::kDouble).contiguous();
  const at::Tensor finite = values.masked_select(values.isfinite());
  if (finite.numel() == 0) {
    return std::nullopt;
  }
  const int64_t rows = values.size(0), columns = values.size(1);
  const double least = map.least.value_or(finite.min().item<double>());
  double most = map.most.value_or(finite.max().item<double>());
  most = most > least ? most : least + 1;
  const Axis x(map.x0, map.x1, columns), y(map.y0, map.y1, rows);

  GnuplotInput input;
  const double* value = values.const_data_ptr<double>();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column, ++value) {
      input.data += (column == 0 ? "" : " ") + number(std::isfinite(*value) ? *value : std::nan(""));
    }
    input.data += "\n";
  }
  input.commands = labels(map.title, map.x_label, map.y_label) + palette(map) + "unset key\n" +
                   "set cbrange [" + number(least) + ":" + number(most) + "]\n" + "set xrange " +
                   x.range(false) + "\nset yrange " + y.range(map.first_row_on_top) +
                   "\nset tics scale 0.4\n";
  if (map.cyclic && least == 0 && std::abs(most - 2 * std::numbers::pi) < 1e-9) {
    input.commands += "set cbtics ('0' 0, 'π/2' 0.5*pi, 'π' pi, '3π/2' 1.5*pi, '2π' 2*pi)\n";
  }
  // Columns and rows that are counted have whole numbers.
  for (const auto& [name, counted, cells] :
       {std::tuple{"x", !map.x0 && !map.x1, columns}, std::tuple{"y", !map.y0 && !map.y1, rows}}) {
    if (counted) {
      input.commands += c10::str("set ", name, "tics ", number(whole_step(static_cast<double>(cells))), "\n");
    }
  }
  if (!map.column_names.empty()) {
    const bool is_long = std::any_of(map.column_names.begin(), map.column_names.end(),
                                     [](const std::string& name) { return name.size() > 3; });
    input.commands +=
        "set xtics " + std::string(is_long ? "rotate by -35 " : "") + tics(map.column_names) + "\n";
  }
  if (!map.row_names.empty()) {
    input.commands += "set ytics " + tics(map.row_names) + "\n";
  }
  const std::string cells = "DATA matrix using " + x.position("1") + ":" + y.position("2") + ":3";
  input.commands += "plot " + cells + " with image" + (rows * columns <= most_rectangles ? " pixels" : "");
  if (map.numbers) {
    const std::string middle = number((least + most) / 2);
    const auto text = [&](const std::string& which, const std::string& colour) {
      return ", \\\n  DATA matrix using " + x.position("1") + ":" + y.position("2") + ":($3" + which +
             middle + " ? sprintf('%.3g', $3) : '') with labels font ',13' textcolor rgb '" + colour + "'";
    };
    input.commands += text("<=", "#1d1f21") + text(">", "#ffffff");
  }
  input.commands += "\n";
  return input;
}

std::string gnuplot_script(const std::string& name, const GnuplotInput& input) {
  return "# gnuplot " + name + ".gp\nset encoding utf8\n" + "set terminal svg noenhanced size " +
         std::to_string(picture_width) + "," + std::to_string(picture_height) +
         " font 'sans-serif,15' background rgb 'white'\n" + "set output '" + name + ".svg'\nDATA = '" + name +
         ".dat'\n" +
         "set border lc rgb '#6a6f75'\nset tics nomirror\nset key outside below height 1 Left reverse "
         "samplen 1.5 "
         "noenhanced\n" +
         "set linetype 1 lc rgb '#0072b2'\nset linetype 2 lc rgb '#d55e00'\nset linetype 3 lc rgb "
         "'#009e73'\n" +
         "set linetype 4 lc rgb '#cc79a7'\nset linetype 5 lc rgb '#e69f00'\nset linetype 6 lc rgb "
         "'#56b4e9'\n" +
         "set linetype 7 lc rgb '#7f7f7f'\nset linetype 8 lc rgb '#000000'\nset linetype cycle 8\n" +
         input.commands;
}

}  // namespace optotorch::tools
