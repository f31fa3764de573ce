#include <c10/util/StringUtil.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/trainers/metrics.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "optotorch/command.h"
#include "runs/run_config.h"
#include "runs/run_data.h"
#include "runs/run_network.h"
#include "runs/versions.h"

namespace optotorch::tools {
namespace {

/// Seconds since this process was started, loading of libraries included; 0 where /proc does not say.
double seconds_since_start() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const auto after_name = text.rfind(')');  // field 2, the name, may hold anything
  if (after_name == std::string::npos) {
    return 0;
  }
  std::istringstream fields(text.substr(after_name + 1));
  std::string field;
  for (int number = 3; number <= 22 && fields >> field; ++number) {
  }
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) -
         std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct EvaluateOptions {
  std::string folder, data_root, json_file;
  bool best = false;
};

void evaluate_run(const EvaluateOptions& options) {
  auto run = load_run(options.folder);
  auto& config = run.config;
  if (!options.data_root.empty()) {
    config.data_root = options.data_root;
  }
  use_settings(config);
  auto model = load_model(run, options.folder, options.best);
  model->eval();
  const auto metric = metric_of(run.training());
  const bool learns_text = run.training().learns_text();
  const char* const samples = learns_text ? "characters" : "images";
  const auto test = load_test_data(run);
  if (learns_text) {
    require_vocabulary(options.folder, c10::Join("", test.class_names));
  }
  const auto scores = model->forward(test.batches->batch(0, 0).data.narrow(0, 0, 1)).flatten(0, -2)[0];
  const auto& first = test.class_names.at(scores.argmax(0).item<int64_t>());
  const double start_up = seconds_since_start();
  const double value = evaluate(*model, *test.batches, metric);
  std::printf("%s, %lld test %s: %s %s\n", config.dataset.c_str(), static_cast<long long>(test.count),
              samples, metric.name.c_str(), in_figures(value, metric.name).c_str());
  std::printf("first prediction (%s) %.2f s after start\n", first == "\n" ? "line end" : first.c_str(),
              start_up);
  if (!options.json_file.empty()) {
    const nlohmann::ordered_json result{{"dataset", config.dataset},
                                        {samples, test.count},
                                        {metric.name, value},
                                        {"weights", options.best ? "best on validation" : "last"},
                                        {"first_prediction_seconds", start_up},
                                        {"versions", versions()}};
    write_text_atomically(options.json_file, result.dump(2) + "\n");
  }
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* command =
      app.add_subcommand("evaluate", "Accuracy (or bits per character) of a RUN on its data set's test part");
  auto options = std::make_shared<EvaluateOptions>();
  command->add_option("RUN", options->folder, "Folder that train wrote")->required();
  command->add_option("--data-root", options->data_root, "Where the data lies now (default: as in training)");
  command->add_option("--json", options->json_file, "Also write the result to this file");
  command->add_flag("--best", options->best,
                    "Weights of the best epoch on the validation set, not of the last");
  command->callback([options] { evaluate_run(*options); });
}

}  // namespace optotorch::tools
