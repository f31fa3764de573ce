// Readers of the program: a run's configuration.

#include <runs/run_config.h>

#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

namespace optotorch::fuzz {
namespace {

int config(const uint8_t* data, size_t size) {
  static const MemoryFolder folder("config");
  folder.write("config.json", text_of(data, size));
  return attempt([&] {
    const auto read = tools::load_config(folder.path());
    static_cast<void>(tools::train_arguments(read));
    static_cast<void>(tools::resolve(read));
  });
}

std::vector<std::string> config_seeds() {
  const MemoryFolder folder("config-seeds");
  std::vector<std::string> seeds;
  for (const std::string model : {"mnist-hybrid", "mpnn-in-situ", "charlm"}) {
    tools::RunConfig settings;
    settings.model = model;
    settings.rule = model == "mnist-hybrid" ? "tpfp" : model == "charlm" ? "odfa" : "dat-unitary";
    tools::save_config(tools::resolve(settings), folder.path());
    seeds.push_back(folder.read("config.json"));
  }
  return seeds;
}

const Registered config_target({"config",
                                config,
                                config_seeds,
                                {"null", "-1", "1e308", "9223372036854775808", "\"\"", "[]", "{}", "true",
                                 "1.5", "\"epochs\":", "\"seed\":", "\"model\":", "\"matmul\":\"high\"",
                                 "mpnn-in-situ"}});

}  // namespace
}  // namespace optotorch::fuzz
