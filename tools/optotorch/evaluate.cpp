#include <ATen/Parallel.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/metrics.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "optotorch/command.h"
#include "optotorch/run_config.h"
#include "optotorch/run_network.h"
#include "optotorch/versions.h"

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
  const auto config = load_config(options.folder);
  at::set_num_threads(static_cast<int>(config.threads));
  auto model = load_model(config, options.folder, options.best);
  model->eval();
  const auto set = load_image_set(
      config.dataset, options.data_root.empty() ? config.data_root : options.data_root, ImageSet::Mode::test);
  const ImageBatches test(set, ImageBatchesOptions(std::min<int64_t>(1000, set.count())));
  const auto first = model->forward(test.batch(0, 0).data.narrow(0, 0, 1)).argmax(1).item<int64_t>();
  const double start_up = seconds_since_start();
  const double accuracy = evaluate(*model, test);
  std::printf("%s, %lld test images: accuracy %.2f %%\n", config.dataset.c_str(),
              static_cast<long long>(set.count()), 100 * accuracy);
  std::printf("first prediction (%s) %.2f s after start\n", set.class_names()[first].c_str(), start_up);
  if (!options.json_file.empty()) {
    const nlohmann::ordered_json result{{"dataset", config.dataset},
                                        {"images", set.count()},
                                        {"accuracy", accuracy},
                                        {"weights", options.best ? "best on validation" : "last"},
                                        {"first_prediction_seconds", start_up},
                                        {"versions", versions()}};
    write_text_atomically(options.json_file, result.dump(2) + "\n");
  }
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* command = app.add_subcommand("evaluate", "Accuracy of a RUN on its data set's test images");
  auto options = std::make_shared<EvaluateOptions>();
  command->add_option("RUN", options->folder, "Folder that train wrote")->required();
  command->add_option("--data-root", options->data_root, "Where the data lies now (default: as in training)");
  command->add_option("--json", options->json_file, "Also write the result to this file");
  command->add_flag("--best", options->best,
                    "Weights of the best epoch on the validation set, not of the last");
  command->callback([options] { evaluate_run(*options); });
}

}  // namespace optotorch::tools
