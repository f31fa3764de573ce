#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "recipes/dat_systems.h"
#include "reproduce/details.h"
#include "runs/run_network.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

const std::string in_silico = "in silico", haar = "haar";

/// The user's request.
struct Plan {
  DatSetting setting;
  std::string start;  ///< in_silico, haar, or a folder
  std::vector<std::string> methods, corrections;
};

/// Everything that a training would say later, when others have run for an hour.
void check(const Plan& plan) {
  const auto& [dataset, chip, start, faithful] = plan.setting;
  require_word("dat", "--dataset", dataset, image_set_names());
  OPTOTORCH_CHECK(start.empty() || std::filesystem::is_directory(start), .where = "dat",
                  .argument = "--start", .expected = "haar, or a folder", .got = "'" + start + "'",
                  .remedy = "Check the path");
  make_chips(chip, mpnn_layout(), mpnn_meshes, 0);
  for (const auto& name : plan.methods) {
    for (const auto& correction : plan.corrections) {
      resolve(dat_system(plan.setting, find_dat_method(name), correction).config);
    }
  }
}

Plan plan_of(const RecipeOptions& options) {
  Plan plan;
  auto& [dataset, chip, start, faithful] = plan.setting;
  dataset = options.own.at("dataset");
  chip.imperfections.splitter_error() = number_option("dat", options, "splitter");
  chip.imperfections.phase_error() = number_option("dat", options, "phase");
  chip.errors = options.own.at("errors");
  chip.imperfections.loss_db() = number_option("dat", options, "loss-db");
  chip.imperfections.crosstalk() = number_option("dat", options, "crosstalk");
  chip.imperfections.phase_bits() = whole_number_option("dat", options, "phase-bits", 0, 24);
  chip.imperfections.relative_noise() = number_option("dat", options, "relative-noise");
  chip.imperfections.additive_noise() = number_option("dat", options, "additive-noise");
  plan.methods = split_at_commas(options.own.at("methods"));
  plan.corrections = split_at_commas(options.own.at("correction"));
  const auto is_unet = [](const std::string& name) { return name.starts_with("unet"); };
  faithful = std::all_of(plan.corrections.begin(), plan.corrections.end(), is_unet);
  plan.start = options.own.at("start");
  if (plan.start.empty()) {
    plan.start = faithful ? haar : in_silico;
  }
  start = plan.start == haar || plan.start == in_silico ? "" : plan.start;
  check(plan);
  return plan;
}

/// Ports' intensities of one image: measured, and by the numerical model.
void show_intensities(const std::string& title, const RunConfig& config, Hybrid model, Page& page) {
  const auto test = load_image_set(config.dataset, config.data_root, ImageSet::Mode::test);
  const ImageBatches images(test, ImageBatchesOptions(1));
  auto [network, index] = laboratory_network("dat", *model);
  auto x = images.batch(0, 0).data;
  for (size_t i = 0; i < index; ++i) {
    x = model->layer(i).forward(x);
  }
  const auto readings = network->readings_of(network->measure(x));
  LinePlot plot{title, "port", "intensity", {}};
  plot.log_y = true;
  const auto add = [&plot](const std::string& name, const torch::Tensor& intensity) {
    Series series{name, {}, {}};
    const auto values = intensity.to(torch::kFloat64).flatten();
    for (int64_t port = 0; port < values.numel(); ++port) {
      series.x.push_back(static_cast<double>(port));
      series.y.push_back(values[port].item<double>());
    }
    plot.series.push_back(std::move(series));
  };
  add("measured", readings.output());
  for (const double strength : {0.0, 1.0}) {
    network->strength = strength;
    add(strength == 0 ? "error-free model" : "corrected model",
        network->model(x, nullptr).back().prediction.s.abs().square());
    if (network->corrections().empty()) {
      break;
    }
  }
  page.plot(plot);
}

void show_similarity(const std::vector<Outcome>& outcomes, Page& page) {
  LinePlot plot{"similarity loss", "epoch", "mean over the epoch", {}};
  plot.log_y = true;
  for (const auto& outcome : outcomes) {
    auto series = curve_of(outcome, outcome.system.title, [](const EpochReport& epoch) {
      const auto loss = epoch.measures.find("similarity_loss");
      return loss != epoch.measures.end() ? loss->second : std::nan("");
    });
    if (std::any_of(series.y.begin(), series.y.end(), [](double y) { return std::isfinite(y); })) {
      plot.series.push_back(std::move(series));
    }
  }
  if (!plot.series.empty()) {
    page.plot(plot);
  }
}

void show_models(const std::vector<Outcome>& outcomes, Page& page) {
  page.heading("The physical system and its numerical model");
  page.paragraph("Similarity loss: " + seeds_in_words(outcomes) + ". Intensities of one image: seed 0.");
  show_similarity(outcomes, page);
  for (const auto& outcome : outcomes) {
    const auto& run = outcome.runs.front();
    if (!run.config.rule.starts_with("dat")) {
      continue;
    }
    const auto trained = load_run(run.folder);
    auto before = make_network(trained);
    if (!run.config.start.empty()) {
      start_from(*before, run.config.start);
    }
    show_intensities(outcome.system.title + ": before", run.config, before, page);
    show_intensities(outcome.system.title + ": after", run.config, load_model(trained, run.folder), page);
  }
}

}  // namespace

std::vector<RecipeOption> dat_options() {
  return {
      {"dataset", "mnist or fashion-mnist", "mnist"},
      {"splitter", "Standard deviation of splitter errors", "0.06"},
      {"phase", "Standard deviation of phase errors, radians", "0.06"},
      {"errors", "Folders of .npy, separated by commas: the errors of seed 0; others are drawn", ""},
      {"methods", "Some of direct, pat, pat-output, at, no-is, unitary, separable, identify, oracle",
       "direct,pat,pat-output,at,no-is,unitary,separable"},
      {"correction", "Some of unet-4k, unet-10k (with the published schedule), linear, white-box",
       "white-box"},
      {"start", "haar, or a folder of .npy phases; default: phases trained in silico, with a U-Net haar", ""},
      {"loss-db", "Loss of power in an interferometer's arm, decibels", "0"},
      {"crosstalk", "Part of a heater's phase that reaches each neighbour", "0"},
      {"phase-bits", "Phases are set to 2^bits levels", "0"},
      {"relative-noise", "Noise of a reading as a part of it", "0"},
      {"additive-noise", "Noise of a reading, as intensity", "0"}};
}

std::vector<RecipeRow> dat(const RecipeOptions& options, Page& page) {
  auto plan = plan_of(options);
  auto& setting = plan.setting;
  page.paragraph(c10::str("A lens, three 64-port meshes and electro-optic activations (arXiv 2212.06141) on ",
                          setting.dataset, ". The meshes are simulated chips with splitter errors of ",
                          setting.chip.imperfections.splitter_error(), " and phase errors of ",
                          setting.chip.imperfections.phase_error(),
                          " rad (standard deviations), of which training sees intensities only. Start: ",
                          plan.start, setting.faithful ? ". Published schedule." : "."));
  std::vector<RecipeRow> rows;
  std::vector<Outcome> outcomes;
  DatSetting direct = setting;
  const auto is_asked = [&plan](const char* name) {
    return std::find(plan.methods.begin(), plan.methods.end(), name) != plan.methods.end();
  };
  if (plan.start == in_silico || (plan.start == haar && (is_asked("direct") || is_asked("at")))) {
    outcomes = train_systems({dat_in_silico(setting.dataset)}, options);
    direct.start = outcomes.front().runs.front().folder;
    setting.start = plan.start == in_silico ? direct.start : "";
  }
  std::vector<System> systems;
  for (const auto& name : plan.methods) {
    const auto& method = find_dat_method(name);
    if (name == "direct") {
      rows.push_back(dat_direct(direct, options));
      continue;
    }
    for (const auto& correction : method.corrected ? plan.corrections : std::vector<std::string>{""}) {
      // Adaptive training begins where training in silico ended, by its definition.
      systems.push_back(dat_system(name == "at" ? direct : setting, method, correction));
      systems.back().details = name == "separable";
      systems.back().measure_alignment = true;
    }
  }
  for (auto& outcome : train_systems(systems, options)) {
    outcomes.push_back(std::move(outcome));
  }
  print_table(outcomes);
  show(outcomes, page);
  for (const auto& row : rows) {
    const auto text = c10::str(
        "direct, phases trained in silico on the chip as they are: ", std::lround(row.measured * 1e4) / 100.0,
        " %, spread ", std::lround(row.spread * 1e4) / 100.0, " %");
    std::printf("%s\n", text.c_str());
    page.paragraph(text);
  }
  show_models(outcomes, page);
  const auto trained = rows_of(outcomes);
  rows.insert(rows.end(), trained.begin(), trained.end());
  return rows;
}

}  // namespace optotorch::tools
