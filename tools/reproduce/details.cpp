#include "reproduce/details.h"

#include <ATen/ATen.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <numbers>
#include <set>

#include "reproduce/outcome.h"
#include "runs/pictures.h"
#include "runs/run_data.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

constexpr auto default_metric = "accuracy";
constexpr size_t most_named_classes = 20;  // more names than that do not fit beside a picture

std::string seconds(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f" : "%.1f", value);
  return text;
}

/// Subject of the table.
std::string in_words(const std::vector<Outcome>& outcomes) {
  auto words = outcomes.front().metric;
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

bool anything_published(const std::vector<Outcome>& outcomes) {
  return std::any_of(outcomes.begin(), outcomes.end(),
                     [](const Outcome& outcome) { return outcome.system.published.has_value(); });
}

std::string published(const Outcome& outcome) {
  return outcome.system.published ? in_figures(*outcome.system.published, outcome.metric) : "-";
}

void add_table(const std::vector<Outcome>& outcomes, Page& page) {
  const bool compared = anything_published(outcomes);
  const auto metric = in_words(outcomes);
  std::vector<std::string> headers{"System", "Test " + metric, "Spread", "Seeds", "Seconds an epoch"};
  if (compared) {
    headers.insert(headers.begin() + 1, "Published");
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& outcome : outcomes) {
    rows.push_back({outcome.system.title, in_figures(outcome.mean, outcome.metric),
                    in_figures(outcome.spread, outcome.metric), std::to_string(outcome.runs.size()),
                    seconds(outcome.seconds_per_epoch)});
    if (compared) {
      rows.back().insert(rows.back().begin() + 1, published(outcome));
    }
  }
  page.table(headers, rows);
  page.paragraph(
      "Test " + metric +
      " is that after the last epoch, the mean over the seeds; the spread is the largest minus the smallest. "
      "Nothing was chosen by looking at the test set.");
  for (const auto& outcome : outcomes) {
    if (!outcome.system.note.empty()) {
      page.paragraph(outcome.system.title + ": " + outcome.system.note);
    }
  }
}

double in_percent(const std::optional<double>& accuracy, double unit) {
  return accuracy ? unit * *accuracy : std::nan("");
}

void add_curves(const std::vector<Outcome>& outcomes, const std::string& model, Page& page) {
  const bool is_accuracy = outcomes.front().metric == default_metric;
  const double unit = is_accuracy ? 100 : 1;
  const auto words = "test " + in_words(outcomes);
  LinePlot test{model + ": " + words, "epoch", words + (is_accuracy ? ", %" : ""), {}};
  LinePlot loss{model + ": training loss", "epoch", "training loss", {}};
  loss.log_y = true;
  for (const auto& outcome : outcomes) {
    if (outcome.system.config.network != model) {
      continue;
    }
    const auto& title = outcome.system.title;
    test.series.push_back(curve_of(
        outcome, title, [unit](const EpochReport& epoch) { return in_percent(epoch.test_accuracy, unit); }));
    loss.series.push_back(
        curve_of(outcome, title, [](const EpochReport& epoch) { return epoch.train_loss; }));
  }
  page.plot(test);
  page.plot(loss);
}

/// A network at a time: more curves than its rules could not be told apart.
void add_curves(const std::vector<Outcome>& outcomes, Page& page) {
  page.heading("Training, " + seeds_in_words(outcomes));
  std::set<std::string> shown;
  for (const auto& outcome : outcomes) {
    if (shown.insert(outcome.system.config.network).second) {
      add_curves(outcomes, outcome.system.config.network, page);
    }
  }
}

void add_alignment(const std::vector<Outcome>& outcomes, Page& page) {
  bool first = true;
  for (const auto& outcome : outcomes) {
    size_t blocks = 0;
    for (const auto& epoch : outcome.runs.front().epochs) {
      blocks = std::max(blocks, epoch.alignment.size());
    }
    if (!outcome.system.measure_alignment || blocks == 0) {
      continue;
    }
    if (first) {
      page.heading("Alignment, " + seeds_in_words(outcomes));
      page.paragraph(
          "Cosine of the angle between a rule's update and the true gradient, on the first batch of each "
          "epoch, for "
          "each block with parameters, counted from the input.");
      first = false;
    }
    LinePlot plot{outcome.system.title + ": alignment", "epoch", "cosine", {}};
    for (size_t block = 0; block < blocks; ++block) {
      plot.series.push_back(
          curve_of(outcome, c10::str("block ", block + 1), [block](const EpochReport& epoch) {
            return block < epoch.alignment.size() ? epoch.alignment[block] : std::nan("");
          }));
    }
    page.plot(plot);
  }
}

/// Percent of the images of a class (row) that were taken for another (column).
HeatMap confusion(const std::string& title, HybridImpl& model, const ImageSet& set) {
  const int64_t classes = set.classes();
  const ImageBatches batches(set, ImageBatchesOptions(std::min<int64_t>(1000, set.count())));
  const at::Tensor table = confusion_counts(model, batches, classes).to(at::kDouble);
  HeatMap map{title + ": confusion, % of a class", "predicted", "true",
              100 * table / table.sum(1, /*keepdim=*/true).clamp_min(1)};
  map.values.masked_fill_(table == 0, std::nan(""));  // a page full of zeros hides the others
  map.numbers = classes <= static_cast<int64_t>(most_named_classes);
  map.least = 0;
  map.most = 100;
  if (set.class_names().size() <= most_named_classes) {
    for (const auto& name : set.class_names()) {
      const auto dash = name.find(" - ");  // "7 - seven": the digit says it all
      map.row_names.push_back(name.substr(0, dash));
    }
    map.column_names = map.row_names;
  }
  return map;
}

void add_details(const std::vector<Outcome>& outcomes, Page& page) {
  bool first = true;
  for (const auto& outcome : outcomes) {
    if (!outcome.system.details) {
      continue;
    }
    if (first) {
      page.heading("Final networks, seed 0");
      first = false;
    }
    const auto& run = outcome.runs.front();
    auto model = load_model(load_run(run.folder), run.folder);
    model->eval();
    page.plot(confusion(outcome.system.title, *model,
                        load_image_set(run.config.dataset, run.config.data_root, ImageSet::Mode::test)));
    for (const auto& module : model->modules(/*include_self=*/false)) {
      if (const auto* mesh = module->as<MziMeshImpl>()) {
        HeatMap map{outcome.system.title + ": internal phases of the first mesh, radians", "column", "port",
                    phase_map(*mesh)};
        map.cyclic = true;
        map.least = 0;
        map.most = 2 * std::numbers::pi;
        page.plot(map);
        break;
      }
    }
  }
}

}  // namespace

Series curve_of(const Outcome& outcome, const std::string& name,
                const std::function<double(const EpochReport&)>& value) {
  struct Values {
    double sum = 0, least = std::numeric_limits<double>::infinity(), most = -least;
    int count = 0;
  };
  std::map<int64_t, Values> by_epoch;
  for (const auto& run : outcome.runs) {
    for (const auto& report : run.epochs) {
      auto& values = by_epoch[report.epoch];
      if (const double y = value(report); std::isfinite(y)) {
        values = {values.sum + y, std::min(values.least, y), std::max(values.most, y), values.count + 1};
      }
    }
  }
  Series series{name, {}, {}};
  for (const auto& [epoch, values] : by_epoch) {
    const bool any = values.count > 0;
    series.x.push_back(static_cast<double>(epoch));
    series.y.push_back(any ? values.sum / values.count : std::nan(""));
    if (outcome.runs.size() > 1) {
      series.low.push_back(any ? values.least : std::nan(""));
      series.high.push_back(any ? values.most : std::nan(""));
    }
  }
  return series;
}

std::string seeds_in_words(const std::vector<Outcome>& outcomes) {
  size_t most = 1;
  for (const auto& outcome : outcomes) {
    most = std::max(most, outcome.runs.size());
  }
  return most == 1 ? "seed 0"
                   : c10::str("mean of ", most, " seeds; the band is from the least to the greatest");
}

void print_table(const std::vector<Outcome>& outcomes) {
  const bool compared = anything_published(outcomes);
  size_t width = 10;
  for (const auto& outcome : outcomes) {
    width = std::max(width, outcome.system.title.size());
  }
  const int name = static_cast<int>(width);
  std::printf("%-*s ", name, "system");
  std::printf(compared ? "%12s " : "", "published");
  std::printf("%18s %10s %12s\n", ("test " + in_words(outcomes)).c_str(), "spread", "s an epoch");
  for (const auto& outcome : outcomes) {
    std::printf("%-*s ", name, outcome.system.title.c_str());
    if (compared) {
      std::printf("%12s ", published(outcome).c_str());
    }
    std::printf("%18s %10s %12s\n", in_figures(outcome.mean, outcome.metric).c_str(),
                in_figures(outcome.spread, outcome.metric).c_str(),
                seconds(outcome.seconds_per_epoch).c_str());
  }
  std::fflush(stdout);
}

void show(const std::vector<Outcome>& outcomes, Page& page) {
  add_table(outcomes, page);
  add_curves(outcomes, page);
  add_alignment(outcomes, page);
  add_details(outcomes, page);
}

}  // namespace optotorch::tools
