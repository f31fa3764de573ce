// Accuracy against the size of the errors: the published table, and beyond it.

#include <cmath>
#include <cstdio>
#include <map>

#include "recipes/dat_systems.h"
#include "reproduce/details.h"
#include "reproduce/formatted.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

struct Column {
  const char *name, *method, *correction;
};

constexpr Column columns[] = {{"DAT, linear", "separable", "linear"},
                              {"DAT, white box", "separable", "white-box"},
                              {"oracle", "oracle", ""}};

/// Cells of the published table that were hard, and joint errors up to the end.
std::vector<ErrorSize> sizes(const std::string& dataset) {
  std::vector<ErrorSize> all;
  for (const auto& size : published_errors(dataset)) {
    if ((size.splitter > 0 && size.phase > 0) || size.splitter >= 0.1 || size.phase >= 0.1) {
      all.push_back(size);
    }
  }
  for (const double sigma : {0.1, 0.15, 0.2, 0.3}) {
    if (dataset == "mnist") {
      all.push_back({sigma, sigma});
    }
  }
  return all;
}

std::string name_of(const ErrorSize& size) {
  char text[64];
  std::snprintf(text, sizeof text, "BS %.2f, PS %.2f", size.splitter, size.phase);
  return text;
}

/// The best that was published for a cell, by its last epoch where that is known.
std::string best_published(const std::string& dataset, const ErrorSize& size) {
  std::optional<PublishedAccuracy> best;
  for (const auto column : {Published::output_4k, Published::output_10k, Published::unitary_4k,
                            Published::unitary_10k, Published::separable_4k, Published::separable_10k}) {
    const auto cell = published_accuracy(dataset, size.splitter, size.phase, column);
    if (cell && (!best || cell->best > best->best)) {
      best = cell;
    }
  }
  return best ? best->text() : "-";
}

/// Accuracy over the seeds.
struct Accuracy {
  double mean, least, most;
};

/// Accuracy by method where both errors have the same size.
void plot_sizes(const std::string& dataset, const std::map<std::string, std::map<double, Accuracy>>& curves,
                Page& page) {
  LinePlot plot{
      dataset + ": splitter and phase errors of the same size", "standard deviation", "accuracy, %", {}};
  for (const auto& [name, points] : curves) {
    Series series{name, {}, {}};
    for (const auto& [sigma, accuracy] : points) {
      series.x.push_back(sigma);
      series.y.push_back(100 * accuracy.mean);
      series.low.push_back(100 * accuracy.least);
      series.high.push_back(100 * accuracy.most);
    }
    plot.series.push_back(std::move(series));
  }
  page.plot(plot);
}

}  // namespace

std::vector<RecipeRow> dat_errors(const RecipeOptions& options, Page& page) {
  std::vector<RecipeRow> rows;
  for (const std::string dataset : {"mnist", "fashion-mnist"}) {
    auto error_free = dat_in_silico(dataset);
    error_free.title = dataset + ", error-free";
    const auto in_silico = train_systems({error_free}, options);
    std::vector<System> systems;
    const auto cells = sizes(dataset);
    std::vector<RecipeRow> direct;
    for (const auto& size : cells) {
      DatSetting setting;
      setting.dataset = dataset;
      setting.start = in_silico.front().runs.front().folder;
      setting.chip.imperfections.splitter_error(size.splitter).phase_error(size.phase);
      direct.push_back(dat_direct(setting, options));
      direct.back().system = dataset + ", " + name_of(size) + ": direct";
      for (const auto& column : columns) {
        systems.push_back(dat_system(setting, find_dat_method(column.method), column.correction));
        systems.back().title = dataset + ", " + name_of(size) + ": " + column.name;
        follow_closely(systems.back());
      }
    }
    const auto outcomes = train_systems(systems, options);
    print_table(outcomes);
    std::vector<std::vector<std::string>> table;
    std::map<std::string, std::map<double, Accuracy>> curves;
    for (size_t i = 0; i < cells.size(); ++i) {
      const auto& size = cells[i];
      const bool joint = size.splitter == size.phase;
      table.push_back({name_of(size), best_published(dataset, size), percent(direct[i].measured)});
      if (joint) {
        curves["direct"][size.phase] = {direct[i].measured, direct[i].least, direct[i].most};
      }
      for (size_t c = 0; c < std::size(columns); ++c) {
        const auto& outcome = outcomes[i * std::size(columns) + c];
        table.back().push_back(percent(outcome.mean));
        if (joint) {
          curves[columns[c].name][size.phase] = {outcome.mean, outcome.least, outcome.most};
        }
      }
    }
    page.heading(c10::str(dataset, ": error-free ", percent(in_silico.front().mean)));
    std::vector<std::string> headers{"Errors", "Best published DAT (best / last epoch)", "Direct"};
    for (const auto& column : columns) {
      headers.emplace_back(column.name);
    }
    page.table(headers, table);
    plot_sizes(dataset, curves, page);
    for (const auto& part : {rows_of(in_silico), direct, rows_of(outcomes)}) {
      rows.insert(rows.end(), part.begin(), part.end());
    }
  }
  page.paragraph(
      "Test accuracy after the last epoch. Errors: standard deviations of splitters (BS) and phases (PS, "
      "rad), "
      "drawn anew for every seed. The oracle knows them; the white box knows their kinds, the linear map "
      "nothing.");
  return rows;
}

}  // namespace optotorch::tools
