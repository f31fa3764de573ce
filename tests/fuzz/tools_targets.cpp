// Readers of the program: a run's configuration.

#include <runs/run_config.h>

#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

namespace optotorch::fuzz {
namespace {

int config(const uint8_t* data, size_t size) {
  static const MemoryFolder folder("config");
  static const std::string network = tools::find_network("mpnn-in-situ").text;
  folder.write("network.json", network);
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
  for (const std::string rule : {"in-silico", "pat", "dat-unitary"}) {
    tools::RunConfig settings;
    settings.network = "mpnn-in-situ";
    settings.rule = rule;
    tools::save_run(tools::resolve(settings), folder.path());
    seeds.push_back(folder.read("config.json"));
  }
  return seeds;
}

int network(const uint8_t* data, size_t size) {
  static const MemoryFolder folder("network");
  folder.write("network.json", text_of(data, size));
  return attempt([&] { tools::read_network(folder.path() + "/network.json", "network"); });
}

std::vector<std::string> network_seeds() {
  std::vector<std::string> seeds;
  for (const auto& name : tools::network_names()) {
    seeds.push_back(tools::find_network(name).text);
  }
  return seeds;
}

const Registered network_target({"network",
                                 network,
                                 network_seeds,
                                 {"null", "-1", "1e308", "9223372036854775808", "\"\"", "[]", "{}",
                                  "\"training\":", "\"rules\":", "\"tpfp\":", "\"laboratory\":"}});

const Registered config_target({"config",
                                config,
                                config_seeds,
                                {"null", "-1", "1e308", "9223372036854775808", "\"\"", "[]", "{}", "true",
                                 "1.5", "\"epochs\":", "\"seed\":", "\"model\":", "\"matmul\":\"high\"",
                                 "mpnn-in-situ"}});

}  // namespace
}  // namespace optotorch::fuzz
