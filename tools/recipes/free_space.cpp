// How right a hop is, against the distance, by the ways to sample its kernel.

#include <ATen/ATen.h>
#include <optotorch/ops/free_space.h>
#include <optotorch/ops/transfer_function.h>
#include <torch/utils.h>

#include <cstdio>

#include "recipes/recipes.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

using ops::HopGeometry;
using ops::Propagation;
using ops::Sampling;

constexpr int64_t side = 64, reference_padding = 24;
constexpr double spacing = 17e-6, wavelength = 532e-9, most_error = 5e-3;

struct Hop {
  const char* name;
  Propagation propagation;
  Sampling sampling;
};

constexpr Hop hops[] = {
    {"cropped", Propagation::angular_spectrum, Sampling::cropped},
    {"cropped, Fresnel", Propagation::fresnel, Sampling::cropped},
    {"plain", Propagation::angular_spectrum, Sampling::plain},
    {"band-limited", Propagation::angular_spectrum, Sampling::band_limited},
    {"Rayleigh-Sommerfeld", Propagation::rayleigh_sommerfeld, Sampling::cropped},
};

at::Tensor behind(const at::Tensor& x, double distance, const Hop& method, int64_t padding) {
  const HopGeometry hop{.wavelength = wavelength,
                        .distance = distance,
                        .spacing = spacing,
                        .input = {side, side},
                        .output = {side, side},
                        .propagation = method.propagation,
                        .sampling = method.sampling,
                        .padding = padding};
  return ops::free_space(x, ops::transfer_function(hop), side, side);
}

struct Field {
  const char* name;
  at::Tensor light;
};

/// White: every sample by itself, as behind a trained plane that began with random phases. Smooth: waves of 4
/// samples and more.
std::vector<Field> fields() {
  torch::manual_seed(0);
  const auto white = at::randn({1, 1, side, side}, at::kComplexDouble);
  const auto f = at::fft_fftfreq(side, 1.0, at::dtype(at::kDouble));
  const auto low = (f.square().unsqueeze(1) + f.square()) < 1.0 / 16;
  return {{"white field", white}, {"smooth field", at::fft_ifft2(at::fft_fft2(white) * low)}};
}

}  // namespace

std::vector<RecipeRow> free_space(const RecipeOptions& options, Page& page) {
  const double critical = 2 * side * spacing * spacing / wavelength;
  const std::vector<double> shown = options.quick
                                        ? std::vector<double>{.45, 1.8}
                                        : std::vector<double>{.1, .2, .45, .7, 1, 1.4, 1.8, 2.5, 4, 6};
  const auto is_asked = [](double part) { return part == .45 || part == 1 || part == 1.8 || part == 4; };
  page.paragraph(c10::str(
      "A field of ", side, " x ", side, " samples, ", spacing * 1e6, " um apart, at ", wavelength * 1e9,
      " nm behind a hop of free space: relative error of the field against the angular spectrum at "
      "a padding of ",
      reference_padding,
      ". All others have a grid of twice the window. The critical distance z_c = P d^2 / lambda of "
      "that grid is ",
      critical * 1e3, " mm."));
  std::vector<RecipeRow> rows;
  std::vector<std::vector<std::string>> cells;
  for (const auto& [field, light] : fields()) {
    LinePlot plot{field, "distance / z_c", "relative error", {}};
    plot.log_x = plot.log_y = true;
    for (const auto& method : hops) {
      plot.series.push_back({method.name, {}, {}});
    }
    for (const double part : shown) {
      const auto truth = behind(light, part * critical, hops[2], reference_padding);
      std::vector<std::string> line{c10::str(field, ", ", part, " z_c")};
      for (size_t n = 0; n < std::size(hops); ++n) {
        const auto& method = hops[n];
        const auto y = behind(light, part * critical, method, 2);
        const double error = ((y - truth).norm() / truth.norm()).item<double>();
        plot.series[n].x.push_back(part);
        plot.series[n].y.push_back(error);
        char text[32];
        std::snprintf(text, sizeof text, "%.2g", error);
        line.emplace_back(text);
        if (is_asked(part)) {
          RecipeRow row{.system = c10::str(method.name, ", ", field, ", ", part, " z_c"),
                        .measured = error,
                        .selection = "none"};
          row.agrees = method.sampling != Sampling::cropped ||
                       method.propagation != Propagation::angular_spectrum || error < most_error;
          rows.push_back(row);
        }
      }
      std::printf("%-28s", line.front().c_str());
      for (size_t n = 1; n < line.size(); ++n) {
        std::printf("  %s %s", hops[n - 1].name, line[n].c_str());
      }
      std::printf("\n");
      cells.push_back(line);
    }
    page.plot(plot);
  }
  std::vector<std::string> headers{"Field and distance"};
  for (const auto& method : hops) {
    headers.emplace_back(method.name);
  }
  page.heading("Relative error of the field");
  page.table(headers, cells);
  return rows;
}

}  // namespace optotorch::tools
