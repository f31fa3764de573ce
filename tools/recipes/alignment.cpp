// How exactly a diffractive network's planes must stand, by the way its training begins.

#include <algorithm>
#include <cstdio>

#include "recipes/diffractive.h"
#include "recipes/recipes.h"
#include "reproduce/compare.h"
#include "reproduce/details.h"

namespace optotorch::tools {
namespace {

struct Start {
  const char *network, *title;
};

constexpr Start starts[] = {
    {"d2nn-64", "random phases"}, {"d2nn-64-glass", "glass"}, {"d2nn-64-vaccinated", "glass, vaccinated"}};

constexpr int64_t placings = 3;  // of the planes, for every size of their offsets

RecipeRow row_of(const std::string& title, const SeedRun& run, double offset, const RecipeOptions& options) {
  RecipeRow row{.system = c10::str(title, ", offset ", offset, " px"), .selection = "last epoch"};
  const int64_t count = offset == 0 ? 1 : options.quick ? 1 : placings;
  row.least = 1;
  for (int64_t n = 0; n < count; ++n) {
    Laboratory laboratory;
    laboratory.imperfections.offset_error(offset);
    laboratory.chip_seed = n;
    const double accuracy = accuracy_in_laboratory(run, laboratory, options.quick ? 200 : 2000);
    row.measured += accuracy / static_cast<double>(count);
    row.least = std::min(row.least, accuracy);
    row.most = std::max(row.most, accuracy);
  }
  row.spread = row.most - row.least;
  return row;
}

}  // namespace

std::vector<RecipeRow> alignment(const RecipeOptions& options, Page& page) {
  page.paragraph(
      "Four phase planes of 64 x 64 pixels on MNIST, trained in silico from random phases, from glass "
      "(phases of 0), and "
      "from glass under offsets of .25 pixels that every batch draws (\"vaccination\", arXiv 2005.11464). "
      "Then every "
      "plane stands elsewhere: offsets down and across, normally distributed. Accuracy on the first 2,000 "
      "test images, "
      "mean over three placings.");
  std::vector<System> systems;
  for (const auto& [network, title] : starts) {
    systems.push_back(diffractive_in_silico(network, "mnist", title));
  }
  const auto outcomes = compare(systems, options, page);
  auto rows = rows_of(outcomes);
  LinePlot plot{
      "accuracy against offset", "standard deviation of a plane's offset, pixels", "accuracy, %", {}};
  for (const auto& outcome : outcomes) {
    Series series{outcome.system.title, {}, {}};
    for (const double offset :
         options.quick ? std::vector<double>{0, .5} : std::vector<double>{0, .1, .25, .5, 1}) {
      const auto row = row_of(outcome.system.title, outcome.runs.front(), offset, options);
      std::printf("%s: %.2f %%\n", row.system.c_str(), 100 * row.measured);
      series.x.push_back(offset);
      series.y.push_back(100 * row.measured);
      series.low.push_back(100 * row.least);
      series.high.push_back(100 * row.most);
      rows.push_back(row);
    }
    plot.series.push_back(series);
  }
  page.plot(plot);
  show_planes("Planes that began with random phases", outcomes.front().runs.front(), page);
  show_planes("Planes that began as glass", outcomes[1].runs.front(), page);
  return rows;
}

}  // namespace optotorch::tools
