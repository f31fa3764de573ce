#include <optotorch/trainers/datasets/detail/data_files.h>

#include <filesystem>
#include <vector>

namespace optotorch {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> candidates(const fs::path& folder, const std::string& name) {
  std::vector<std::string> names = {name};
  if (const auto dash = name.rfind("-idx"); dash != std::string::npos) {
    names.push_back(name);
    names.back()[dash] = '.';
  }
  std::vector<fs::path> paths;
  for (const auto& spelled : names) {
    for (const auto& whole : {spelled, spelled + ".gz"}) {
      paths.push_back(folder / whole);
      paths.push_back(folder / whole / whole);
      paths.push_back(folder / spelled / whole);
    }
  }
  return paths;
}

}  // namespace

bool is_data_file(const std::string& path) {
  std::error_code error;  // what may not be looked at counts as absent
  return fs::is_regular_file(path, error) && fs::file_size(path, error) > 0 && !error;
}

std::optional<std::string> find_data_file(const std::string& folder, const std::string& name) {
  const auto paths = candidates(folder, name);
  for (const auto& path : paths) {
    if (is_data_file(path.string())) {
      return path.string();
    }
  }
  std::error_code error;
  for (const auto& path : paths) {
    if (fs::exists(path, error)) {
      return path.string();
    }
  }
  return std::nullopt;
}

}  // namespace optotorch
