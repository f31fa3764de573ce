// Errors that no correction's model holds: loss, crosstalk, phase levels, and noise of the detectors.

#include "recipes/dat_systems.h"
#include "reproduce/details.h"
#include "reproduce/formatted.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

struct Condition {
  const char* name;
  double loss_db = 0, crosstalk = 0;
  int64_t phase_bits = 0;
  double relative_noise = 0;
};

constexpr Condition conditions[] = {{.name = "as modelled"},
                                    {.name = "loss .1 dB", .loss_db = 0.1},
                                    {.name = "crosstalk .01", .crosstalk = 0.01},
                                    {.name = "6 phase bits", .phase_bits = 6},
                                    {.name = "all three", .loss_db = 0.1, .crosstalk = 0.01, .phase_bits = 6},
                                    {.name = "noise 1 %", .relative_noise = 0.01},
                                    {.name = "noise 5 %", .relative_noise = 0.05}};

struct MismatchColumn {
  const char *name, *method, *correction;
};

constexpr MismatchColumn mismatch_columns[] = {{"PAT, layer-wise", "pat", ""},
                                               {"DAT, linear", "separable", "linear"},
                                               {"DAT, white box", "separable", "white-box"}};

}  // namespace

std::vector<RecipeRow> dat_mismatch(const RecipeOptions& options, Page& page) {
  const auto in_silico = train_systems({dat_in_silico("mnist")}, options);
  std::vector<System> systems;
  std::vector<RecipeRow> rows;
  std::vector<std::vector<std::string>> table;
  for (const auto& condition : conditions) {
    DatSetting setting;
    setting.start = in_silico.front().runs.front().folder;
    setting.chip.imperfections.splitter_error(0.06)
        .phase_error(0.06)
        .loss_db(condition.loss_db)
        .crosstalk(condition.crosstalk)
        .phase_bits(condition.phase_bits)
        .relative_noise(condition.relative_noise);
    rows.push_back(dat_direct(setting, options));
    rows.back().system = std::string(condition.name) + ": direct";
    rows.back().published = std::nullopt;
    table.push_back({condition.name, percent(rows.back().measured)});
    for (const auto& column : mismatch_columns) {
      systems.push_back(dat_system(setting, find_dat_method(column.method), column.correction));
      systems.back().title = std::string(condition.name) + ": " + column.name;
      systems.back().published = std::nullopt;
      systems.back().note.clear();
      follow_closely(systems.back());
    }
  }
  const auto outcomes = train_systems(systems, options);
  print_table(outcomes);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    table[i / std::size(mismatch_columns)].push_back(percent(outcomes[i].mean));
  }
  page.paragraph(
      "MNIST, splitter and phase errors of .06 in every row; test accuracy after the last epoch. The "
      "corrections know nothing of loss, crosstalk and phase levels; noise is a part of every reading, in "
      "training and in the test.");
  std::vector<std::string> headers{"Beyond the model", "Direct"};
  for (const auto& column : mismatch_columns) {
    headers.emplace_back(column.name);
  }
  page.table(headers, table);
  const auto trained = rows_of(outcomes);
  rows.insert(rows.end(), trained.begin(), trained.end());
  return rows;
}

}  // namespace optotorch::tools
