#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/trainers/datasets/load_image_sets.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "recipes/recipes.h"
#include "reproduce/page.h"
#include "runs/laboratory.h"
#include "runs/network.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

using json = nlohmann::json;

constexpr int64_t classes = 10, images_at_a_time = 1000;
constexpr double single_precision = 0.0002;

/// Published weights on a chip of published errors, and what it answers right.
struct Golden {
  std::string weights;
  std::vector<std::string> errors;
  std::string dataset = "mnist";
  double accuracy = 0;
};

const std::vector<Golden>& published_cases() {
  static const std::vector<Golden> all = {
      {"mnist_ideal", {}, "mnist", 0.9677},
      {"mnist_ideal", {"bs0.1"}, "mnist", 0.7279},
      {"mnist_ideal", {"ps0.04"}, "mnist", 0.8873},
      {"mnist_ideal", {"ps0.1"}, "mnist", 0.5966},
      {"mnist_ideal", {"bs0.04", "ps0.04"}, "mnist", 0.8635},
      {"mnist_ideal", {"bs0.06", "ps0.04"}, "mnist", 0.7261},
      {"mnist_ideal", {"bs0.06", "ps0.06"}, "mnist", 0.6656},
      {"mnist_pat_bs0.04_ps0.04", {}, "mnist", 0.9651},
      {"mnist_pat_bs0.04_ps0.04", {"bs0.04", "ps0.04"}, "mnist", 0.9260},
      {"mnist_dat_unitary_bs0.06_ps0.06", {}, "mnist", 0.8249},
      {"mnist_dat_unitary_bs0.06_ps0.06", {"bs0.06", "ps0.06"}, "mnist", 0.9300},
  };
  return all;
}

std::vector<Golden> read_cases(const std::string& path) {
  const std::string expected = R"(a list like [{"weights": "mnist_ideal", "errors": ["bs0.06", "ps0.06"], )"
                               R"("dataset": "mnist", "accuracy": 0.6656}])";
  const auto damaged = [&](const std::string& what) {
    reject({.where = "dat-goldens", .argument = "--cases", .expected = expected, .got = path + ": " + what});
  };
  const json list = load_json(path, "dat-goldens", "--cases", expected);
  try {
    std::vector<Golden> cases;
    for (const auto& entry : list) {
      cases.push_back({entry.at("weights").get<std::string>(),
                       entry.value("errors", std::vector<std::string>()),
                       entry.value("dataset", std::string("mnist")), entry.at("accuracy").get<double>()});
      if (!(cases.back().accuracy >= 0 && cases.back().accuracy <= 1)) {
        damaged("an accuracy out of 0 to 1");
      }
    }
    if (cases.empty()) {
      damaged("an empty list");
    }
    return cases;
  } catch (const json::exception& error) {
    damaged(json_complaint(error));
    throw;
  }
}

std::string errors_of(const Golden& golden) {
  return golden.errors.empty() ? "none" : c10::Join(" + ", golden.errors);
}

/// The network of a case, measured on its chips.
Hybrid network(const Golden& golden, const std::string& folder) {
  Laboratory laboratory;
  for (const auto& errors : golden.errors) {
    laboratory.errors += (laboratory.errors.empty() ? "" : ",") + folder + "/errors/" + errors;
  }
  laboratory.correction = "none";
  auto net =
      in_laboratory(*find_network("mpnn").make({{"classes", classes}}), laboratory, /*monitors=*/true, 0);
  net->to(torch::kFloat64);
  start_from(*net, folder + "/weights/" + golden.weights);
  net->eval();
  return net;
}

double accuracy(HybridImpl& net, const ImageSet& set, torch::Dtype type) {
  net.to(type);
  int64_t right = 0;
  for (int64_t first = 0; first < set.count(); first += images_at_a_time) {
    const int64_t count = std::min(images_at_a_time, set.count() - first);
    const auto images = set.images().narrow(0, first, count).to(torch::kFloat64) / 255;
    const auto guess = net.forward(images.to(type)).argmax(1);
    right += guess.eq(set.targets().narrow(0, first, count)).sum().item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(set.count());
}

std::string digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

}  // namespace

std::vector<RecipeRow> dat_goldens(const RecipeOptions& options, Page& page) {
  const auto folder = options.own.at("goldens");
  OPTOTORCH_CHECK(!folder.empty(), .where = "dat-goldens", .argument = "--goldens",
                  .expected = "a folder with weights/ and errors/", .got = "none",
                  .remedy = "Give --goldens DIR");
  const auto file = options.own.at("cases");
  auto cases = file.empty() ? published_cases() : read_cases(file);
  cases.resize(options.quick ? 1 : cases.size());
  at::set_num_threads(static_cast<int>(
      options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency())));
  std::map<std::string, ImageSet> sets;
  std::vector<RecipeRow> rows;
  std::vector<std::vector<std::string>> table;
  int right = 0;
  std::printf("%-34s %-18s %10s %10s %10s\n", "weights", "errors", "published", "float64", "float32");
  for (const auto& golden : cases) {
    if (sets.count(golden.dataset) == 0) {
      sets.emplace(golden.dataset, load_image_set(golden.dataset, options.data_root, ImageSet::Mode::test));
    }
    auto net = network(golden, folder);
    const auto& set = sets.at(golden.dataset);
    const double exact = accuracy(*net, set, torch::kFloat64), single = accuracy(*net, set, torch::kFloat32);
    const bool agrees = digits(exact) == digits(golden.accuracy) &&
                        std::abs(single - golden.accuracy) <= single_precision + 1e-9;
    right += agrees ? 1 : 0;
    const std::string errors = errors_of(golden);
    std::printf("%-34s %-18s %10s %10s %10s %s\n", golden.weights.c_str(), errors.c_str(),
                digits(golden.accuracy).c_str(), digits(exact).c_str(), digits(single).c_str(),
                agrees ? "" : "  differs");
    std::fflush(stdout);
    table.push_back({golden.weights, errors, digits(golden.accuracy), digits(exact), digits(single)});
    rows.push_back(
        {golden.weights + ", errors: " + errors, golden.accuracy, exact, 0, 1, "fixed weights", agrees});
  }
  const std::string verdict =
      c10::str(right, " of ", cases.size(), " to four digits in float64 and within .0002 in float32");
  std::printf("%s\n", verdict.c_str());
  page.paragraph(
      "Published phases and errors of the MZI network of arXiv 2212.06141, measured on simulated "
      "chips, all test images: " +
      verdict + ".");
  page.table({"Weights", "Errors", "Published", "float64", "float32"}, table);
  return rows;
}

}  // namespace optotorch::tools
