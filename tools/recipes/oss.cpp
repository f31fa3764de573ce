// Optical spectrum slicing: a convolution by a few filters on the carrier that an image modulates.

#include <optotorch/core/check.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "recipes/recipes.h"
#include "reproduce/compare.h"
#include "reproduce/details.h"
#include "runs/network.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

struct Slicing {
  const char *title, *network;
  double published;
  bool in_experiment = false;
};

constexpr Slicing slicings[] = {
    {"digital, 10", "oss-digital", .986}, {"digital, 117-10", "oss-digital-hidden", .991},
    {"7 nodes, 10", "oss-7", .980},       {"7 nodes, 111-10", "oss-7-hidden", .986},
    {"3 nodes, 10", "oss-3", .959, true}, {"3 nodes, 80-10", "oss-3-hidden", .977, true},
};

/// Noise and tolerances of an experiment: filters off by a tenth of a width, 5 % of their width; readings with 2 % of
/// noise.
void put_in_experiment(RunConfig& config) {
  config.rule = "pat";
  config.laboratory.imperfections.resonance_error(.2).width_error(.05).relative_noise(.02);
  config.laboratory.correction = "none";
}

/// A network that differs from an installed one, as a file in OUT.
std::string varied(const std::string& network, const std::string& name, const RecipeOptions& options,
                   const std::function<void(nlohmann::json& layers)>& change) {
  auto description = nlohmann::json::parse(find_network(network).text);
  change(description["layers"]);
  const auto path = options.out + "/" + name + ".json";
  std::ofstream file(path);
  file << description.dump(2) << "\n";
  OPTOTORCH_CHECK(file.good(), .where = "oss", .argument = "--out",
                  .expected = "a folder that can be written to", .got = path);
  return path;
}

/// The layer of that type.
nlohmann::json& layer_of(nlohmann::json& layers, const std::string& type) {
  for (auto& layer : layers) {
    if (layer["type"] == type) {
      return layer;
    }
  }
  reject({.where = "oss", .argument = "network", .expected = "a layer " + type, .got = "none"});
}

System slicing_of(const std::string& title, const std::string& network) {
  System system;
  system.title = title;
  system.config.network = network;
  system.config.rule = "bp";
  return system;
}

struct Sweep {
  const char *name, *axis;
  std::vector<double> values;
  void (*vary)(System& system, double value, const RecipeOptions& options, const std::string& name);
};

void set_filters(nlohmann::json& layers, int64_t filters) {
  layer_of(layers, "SpectralFilterBank")["filters"] = filters;
  layer_of(layers, "Standardise")["sample"][0] = filters;
  layer_of(layers, "Linear")["in_features"] = std::to_string(filters) + "*height/2*width/2";
}

const std::vector<Sweep>& sweeps() {
  static const std::vector<Sweep> all = {
      {"nodes",
       "filters",
       {1, 2, 3, 5, 7, 9, 13},
       [](System& system, double value, const RecipeOptions& options, const std::string& name) {
         system.config.network = varied("oss-7", name, options, [value](nlohmann::json& layers) {
           set_filters(layers, static_cast<int64_t>(value));
         });
       }},
      {"width",
       "width, symbol rates",
       {.01, .02, .04, .08, .16, .32},
       [](System& system, double value, const RecipeOptions& options, const std::string& name) {
         system.config.network = varied("oss-7", name, options, [value](nlohmann::json& layers) {
           layer_of(layers, "SpectralFilterBank")["width"] = value;
         });
       }},
      {"noise",
       "noise of a reading as a part of it",
       {.01, .03, .1, .3},
       [](System& system, double value, const RecipeOptions& /*options*/, const std::string& /*name*/) {
         put_in_experiment(system.config);
         system.config.laboratory.imperfections = Imperfections().relative_noise(value);
       }},
      {"detuning",
       "detuning, half widths",
       {.1, .3, 1, 3},
       [](System& system, double value, const RecipeOptions& /*options*/, const std::string& /*name*/) {
         put_in_experiment(system.config);
         system.config.laboratory.imperfections = Imperfections().resonance_error(value);
       }},
      {"bits",
       "bits of the converter",
       {2, 3, 4, 6, 8},
       [](System& system, double value, const RecipeOptions& options, const std::string& name) {
         system.config.network = varied("oss-7", name, options, [value](nlohmann::json& layers) {
           layers.insert(layers.begin() + 2, nlohmann::json::object({{"type", "Digitizer"},
                                                                     {"bits", static_cast<int64_t>(value)},
                                                                     {"full_scale", .25}}));
         });
       }},
  };
  return all;
}

std::vector<Outcome> sweep(const Sweep& what, const RecipeOptions& options, Page& page) {
  std::vector<System> systems;
  for (const double value : what.values) {
    const auto title = c10::str(what.name, " ", value);
    auto system = slicing_of(title, "oss-7");
    system.seeds = 1;
    what.vary(system, value, options, c10::str("oss-7-", what.name, "-", value));
    systems.push_back(system);
  }
  auto outcomes = train_systems(systems, options);
  LinePlot plot{c10::str("accuracy against ", what.name), what.axis, "accuracy, %", {}};
  Series series{"linear read-out", what.values, {}};
  for (const auto& outcome : outcomes) {
    series.y.push_back(100 * outcome.mean);
  }
  plot.series.push_back(series);
  page.plot(plot);
  return outcomes;
}

}  // namespace

std::vector<RecipeOption> oss_options() {
  return {{"sweeps",
           "Some of nodes, width, noise, detuning, bits, of 7 nodes with a linear read-out; or none",
           "none"}};
}

std::vector<RecipeRow> oss(const RecipeOptions& options, Page& page) {
  std::vector<std::string> wanted;
  if (options.own.at("sweeps") != "none") {
    for (const auto& name : split_at_commas(options.own.at("sweeps"))) {
      require_word("oss", "--sweeps", name, {"nodes", "width", "noise", "detuning", "bits"});
      wanted.push_back(name);
    }
  }
  page.paragraph(
      "An image's patches of 4 x 4 pixels modulate a carrier, symbol after symbol; passive filters slice its "
      "spectrum, "
      "each with a photodiode that is read once a patch (Tsirigotis et al., arXiv 2405.06434). Only the "
      "digital back-end "
      "is trained; but for the row '3 nodes, 10' on images that are shifted by up to a pixel. The digital "
      "rows have 7 kernels of 5 x 5 and "
      "pools in the "
      "optics' place, and no shifts. Published rows of 3 nodes are an experiment; here their filters are off "
      "by a tenth of "
      "a width and 5 % of it (standard deviations), and readings have 2 % of noise, in the test as in "
      "training.");
  page.paragraph(
      "Multiply-adds of the convolution: 137,200 for 7 kernels of 5 x 5 at 28 x 28 places, of the optics "
      "none; the "
      "back-ends have 13,730 parameters (10), 153,523 (111-10), 5,890 and 47,930 of 3 nodes.");
  std::vector<System> systems;
  for (const auto& row : slicings) {
    auto system = slicing_of(row.title, row.network);
    system.published = row.published;
    if (row.in_experiment) {
      put_in_experiment(system.config);
    }
    systems.push_back(system);
  }
  auto outcomes = compare(systems, options, page);
  for (const auto& what : sweeps()) {
    if (std::find(wanted.begin(), wanted.end(), what.name) != wanted.end()) {
      for (auto& outcome : sweep(what, options, page)) {
        outcomes.push_back(std::move(outcome));
      }
    }
  }
  return rows_of(outcomes);
}

}  // namespace optotorch::tools
