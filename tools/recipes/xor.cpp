// An XOR gate of six interferometers, which learns from what its detectors read.

#include <ATen/ATen.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numbers>
#include <thread>

#include "recipes/recipes.h"
#include "recipes/xor_trials.h"
#include "reproduce/formatted.h"
#include "reproduce/page.h"
#include "runs/pictures.h"

namespace optotorch::tools {
namespace {

using namespace gate;

constexpr int64_t default_epochs = 300, quick_epochs = 150;
constexpr int64_t surface_points = 41;

double median(std::vector<double> values) {
  if (values.empty()) {
    return std::nan("");
  }
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string formatted_or_dash(const char* format, double value) {
  return std::isfinite(value) ? formatted(format, value) : "-";
}

struct Result {
  Variant variant;
  std::vector<Trial> trials;

  RecipeRow row() const {
    double solved = 0;
    for (const auto& trial : trials) {
      solved += trial.solved() ? 1 : 0;
    }
    const auto seeds = static_cast<int64_t>(trials.size());
    const bool mixed = solved > 0 && solved < static_cast<double>(seeds);
    return {variant.title, {}, solved / static_cast<double>(seeds), mixed ? 1.0 : 0.0, seeds, "last epoch"};
  }

  std::vector<std::string> cells() const {
    std::vector<double> errors, margins, passes;
    for (const auto& trial : trials) {
      errors.push_back(trial.errors.back());
      margins.push_back(trial.margins.back());
      if (trial.solved()) {
        passes.push_back(static_cast<double>(trial.steps() * forward_passes(variant)));
      }
    }
    const bool trained = variant.teacher != Teacher::none;
    return {variant.title,
            formatted_or_dash("%.0f %%", 100 * row().measured),
            formatted_or_dash("%.4f", median(errors)),
            formatted_or_dash("%.3f", *std::min_element(margins.begin(), margins.end())),
            trained ? std::to_string(forward_passes(variant)) : "-",
            trained ? formatted_or_dash("%.0f", median(passes)) : "-"};
  }
};

const std::vector<std::string> headers{"System",       "Solved",        "Squared error",
                                       "Least margin", "Passes a step", "Passes until solved"};

void print_table(const std::vector<Result>& results) {
  const auto print = [](const std::vector<std::string>& cells) {
    std::printf("%-52s %7s %14s %13s %14s %20s\n", cells[0].c_str(), cells[1].c_str(), cells[2].c_str(),
                cells[3].c_str(), cells[4].c_str(), cells[5].c_str());
  };
  print(headers);
  for (const auto& result : results) {
    print(result.cells());
  }
  std::fflush(stdout);
}

/// A value of all seeds, against the steps taken.
Series series(const Result& result, const std::function<double(size_t step)>& value) {
  Series line{result.variant.title, {}, {}};
  for (size_t step = 0; step < result.trials.front().errors.size(); ++step) {
    line.x.push_back(static_cast<double>(step));
    line.y.push_back(value(step));
  }
  return line;
}

void show_curves(const std::vector<Result>& results, Page& page) {
  LinePlot errors{"Squared error, median of the seeds", "epoch", "mean of (y - t)^2", {}},
      solved{"Seeds with the right sign for all four inputs", "epoch", "seeds, %", {}};
  errors.log_y = true;
  for (const auto& result : results) {
    if (!result.variant.shown) {
      continue;
    }
    errors.series.push_back(series(result, [&](size_t step) {
      std::vector<double> values;
      for (const auto& trial : result.trials) {
        values.push_back(trial.errors[step]);
      }
      return median(values);
    }));
    solved.series.push_back(series(result, [&](size_t step) {
      const auto right = std::count_if(result.trials.begin(), result.trials.end(),
                                       [&](const Trial& trial) { return trial.margins[step] > 0; });
      return 100 * static_cast<double>(right) / static_cast<double>(result.trials.size());
    }));
  }
  page.heading("Training");
  page.plot(errors);
  page.plot(solved);
}

void show_network(const Result& result, Page& page) {
  auto network = result.trials.front().network;
  const TruthTable table;
  const auto passes = network->propagate(result.variant.rails->fields(table.a, table.b));
  const auto light = passes[detector_at].output, y = passes.back().output;
  std::vector<std::vector<std::string>> rows;
  for (int64_t i = 0; i < inputs; ++i) {
    const auto at = [i](const at::Tensor& t, int64_t port) { return t[i][port].item<double>(); };
    rows.push_back({formatted_or_dash("%.0f", table.a[i].item<double>()),
                    formatted_or_dash("%.0f", table.b[i].item<double>()),
                    formatted_or_dash("%.3f", at(light, 0)), formatted_or_dash("%.3f", at(light, 1)),
                    formatted_or_dash("%.3f", at(y, 0)), at(y, 0) > 0 ? "1" : "0",
                    at(table.target, 0) > 0 ? "1" : "0"});
  }
  page.heading("One gate: " + result.variant.title + ", seed 0");
  page.table({"a", "b", "|z0|^2", "|z1|^2", "y", "the gate", "a XOR b"}, rows);
  const auto& mesh = *network->layer(mesh_at).as<MziMeshImpl>();
  HeatMap phases{"Internal phases theta, radians", "column", "port", phase_map(mesh)};
  phases.numbers = phases.cyclic = true;
  phases.least = 0;
  phases.most = 2 * std::numbers::pi;
  page.plot(phases);
}

/// y over the input square.
void show_surface(const Result& result, Page& page) {
  auto network = result.trials.front().network;
  const auto axis = at::linspace(0, 1, surface_points);
  const auto a = axis.repeat({surface_points}), b = axis.repeat_interleave(surface_points);
  HeatMap map{result.variant.title + ": y, seed 0", "a", "b",
              network->forward(result.variant.rails->fields(a, b)).view({surface_points, surface_points})};
  map.x0 = map.y0 = 0;
  map.x1 = map.y1 = 1;
  map.first_row_on_top = false;
  page.plot(map);
}

}  // namespace

std::vector<RecipeRow> xor_gate(const RecipeOptions& options, Page& page) {
  const int64_t epochs = options.epochs > 0 ? options.epochs : options.quick ? quick_epochs : default_epochs;
  const int64_t cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
  const int64_t threads = std::min(options.threads > 0 ? options.threads : cores, options.seeds);
  std::vector<Result> results;
  std::vector<RecipeRow> rows;
  for (const auto& variant : variants()) {
    results.push_back({variant, train_all(variant, options.seeds, epochs, threads)});
    rows.push_back(results.back().row());
    tell(options, c10::str(variant.title, ": ", results.back().cells()[1], " of ", options.seeds, " solved"));
  }
  print_table(results);

  page.paragraph(c10::str(
      "A 4 x 4 mesh of six interferometers learns the exclusive or. Four fields enter, of real "
      "amplitude: ",
      dual_rail.name, " ", dual_rail.formula, ", ", phase.name, " ", phase.formula, " or ", amplitude.name,
      " ", amplitude.formula,
      ". Detectors read |z|^2; y = |z0|^2 - |z1|^2 is a fixed electronic read-out that never learns. "
      "The targets are 1 and -1, the loss is half the squared error, the four inputs are one batch, "
      "and Adam steps the phases with ",
      learning_rate, ", ", epochs,
      " times. The paper (arXiv 2408.08337) shows such a gate and gives no figure."));
  page.paragraph(
      "TPFP sends the light in once more, modulated by the error: x - s F e with s = 0.1. It learns from "
      "what "
      "the detectors read: the difference of two passes or, as an extension, of three, the third a quarter "
      "wave later. F = W^H (1, -1, 0, 0)^T is light sent backwards through the mesh (or a twin) from the two "
      "detectors, measured anew at each step unless the table says otherwise. With a single output that is "
      "one backward transmission a measurement, which the table does not count, and which transports "
      "weights; the fixed random F is the strict rule. Frozen optics: there is nothing to train but the "
      "mesh, "
      "so this is the share of random meshes that happen to solve the task. Zeroth order: the mesh's phases "
      "are perturbed by .01 "
      "radians, all at once in random directions or one by one, and the losses measured; a step takes two "
      "passes for each "
      "and one more.");
  page.heading("Result");
  std::vector<std::vector<std::string>> cells;
  for (const auto& result : results) {
    cells.push_back(result.cells());
  }
  page.table(headers, cells);
  page.paragraph(c10::str(
      "Solved: after the last epoch y has the right sign for all four inputs; of ", options.seeds,
      " seeds. Squared error: mean over the inputs, median of the seeds. Least margin: the smallest y "
      "t of any input and seed. Passes: forward passes of the batch (BP's step has a backward pass "
      "beside its forward one) until the signs are right for good, median of the seeds that are "
      "solved. The amplitude encoding can't reach y = -1 in the dark corner and 1 beside it: its "
      "error stays above 0."));
  show_curves(results, page);
  show_network(results.front(), page);
  page.heading("y over the input square");
  for (const auto& result : results) {
    if (result.variant.shown || result.variant.title.starts_with("TPFP, difference, phase") ||
        result.variant.title.starts_with("TPFP, difference, amplitude")) {
      show_surface(result, page);
    }
  }
  return rows;
}

}  // namespace optotorch::tools
