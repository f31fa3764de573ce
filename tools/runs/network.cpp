#include "runs/network.h"

#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/input_file.h>
#include <optotorch/modules/detail/json_fields.h>

#include <algorithm>
#include <filesystem>

#include "runs/words.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

constexpr char where[] = "optotorch";
constexpr uint64_t longest = 1 << 24;  // bytes

}  // namespace

Hybrid Network::make(const Sizes& sizes) const {
  try {
    return build(text, sizes);
  } catch (const c10::Error& error) {
    reject({.where = where,
            .argument = "network '" + name + "'",
            .expected = "one that can be built",
            .got = error.what_without_backtrace()});
  }
}

bool is_path(const std::string& network) {
  return network.find('/') != std::string::npos || network.ends_with(".json");
}

std::string share_folder() {
  std::error_code ignored;
  const auto program = fs::read_symlink("/proc/self/exe", ignored);
  return (program.parent_path().parent_path() / "share/optotorch").string();
}

std::string networks_folder() {
  return share_folder() + "/networks";
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(networks_folder(), ignored)) {
    if (entry.path().extension() == ".json") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Network read_network(const std::string& path, const std::string& name) {
  auto in = open_regular_file(path, where);
  OPTOTORCH_CHECK(in.size() <= longest, .where = where, .argument = path,
                  .expected = c10::str("a network of at most ", longest, " bytes"),
                  .got = std::to_string(in.size()));
  Network network{.name = name, .description = {}, .text = in.rest()};
  const auto object = parse_json(network.text, where, path, "a description of a network, JSON");
  const std::string file = c10::str(where, ": ", path);
  require_object(object, "network", file);
  JsonReader reader(object, "", 0, {}, file);
  reader.known("format");
  reader.known("layers");
  reader.known("training");
  reader("description", network.description);
  reader.expect_nothing_more();
  if (const auto training = object.find("training"); training != object.end()) {
    network.training = read_training(*training, file);
  }
  return network;
}

Network find_network(const std::string& name) {
  if (is_path(name)) {
    return read_network(name, name);
  }
  const auto names = network_names();
  OPTOTORCH_CHECK(!names.empty(), .where = where, .argument = "--network",
                  .expected = "networks in " + networks_folder(), .got = "none",
                  .remedy = "The program and its share folder belong together");
  require_word(where, "--network", name, names);
  return read_network(networks_folder() + "/" + name + ".json", name);
}

}  // namespace optotorch::tools
