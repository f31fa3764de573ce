#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/class_folders.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace optotorch {
namespace {

namespace fs = std::filesystem;

struct Folder {
  std::vector<std::string> folders, files;  // names, sorted by their bytes
};

Folder list(const std::string& set, const std::string& path) {
  Folder folder;
  std::error_code error;
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;  // a link that leads nowhere counts as a file, whose reading will fail
    auto& names = entry->is_directory(ignored) ? folder.folders : folder.files;
    names.push_back(entry->path().filename().string());
  }
  OPTOTORCH_CHECK(!error, .where = set, .argument = path, .expected = "a folder that can be read",
                  .got = error.message());
  std::sort(folder.folders.begin(), folder.folders.end());
  std::sort(folder.files.begin(), folder.files.end());
  return folder;
}

using Found = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// All folders at and below `path` with their files. `above`: where `path` lies in.
void walk(const std::string& set, const std::string& path, std::vector<fs::path>& above, Found& found) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  OPTOTORCH_CHECK(!error, .where = set, .argument = path, .expected = "a folder that can be read",
                  .got = error.message());
  OPTOTORCH_CHECK(std::find(above.begin(), above.end(), real) == above.end(), .where = set, .argument = path,
                  .expected = "links that do not lead back", .got = "one to " + real.string(),
                  .remedy = "Remove the link");
  Folder folder = list(set, path);
  found.emplace_back(path, std::move(folder.files));
  above.push_back(real);
  for (const auto& name : folder.folders) {
    walk(set, (fs::path(path) / name).string(), above, found);
  }
  above.pop_back();
}

}  // namespace

void LabelledFiles::add(std::string path, int64_t target) {
  paths.push_back(std::move(path));
  targets.push_back(target);
}

FileFilter ends_in(std::vector<std::string> extensions) {
  std::string text = c10::Join(", ", extensions);
  return {[extensions = std::move(extensions)](const std::string& path) {
            std::string lower = path;
            for (char& letter : lower) {
              letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
            }
            return std::any_of(extensions.begin(), extensions.end(),
                               [&](const auto& extension) { return lower.ends_with(extension); });
          },
          std::move(text)};
}

std::vector<std::string> find_class_folders(const std::string& set, const std::string& folder,
                                            const std::string& remedy) {
  auto classes = list(set, folder).folders;
  OPTOTORCH_CHECK(!classes.empty(), .where = set, .argument = folder,
                  .expected = "a folder for each class in it", .got = "none", .remedy = remedy);
  return classes;
}

int64_t count_entries(const std::string& set, const std::string& folder) {
  const Folder entries = list(set, folder);
  return static_cast<int64_t>(entries.folders.size() + entries.files.size());
}

LabelledFiles list_class_files(const std::string& set, const std::string& folder,
                               const std::vector<std::string>& classes, const FileFilter& filter,
                               bool allow_empty) {
  LabelledFiles files;
  std::vector<std::string> empty;
  for (size_t i = 0; i < classes.size(); ++i) {
    const size_t before = files.paths.size();
    Found found;
    std::vector<fs::path> above;
    walk(set, (fs::path(folder) / classes[i]).string(), above, found);
    std::sort(found.begin(), found.end());
    for (const auto& [path, names] : found) {
      for (const auto& name : names) {
        auto file = (fs::path(path) / name).string();
        if (filter.accepts(file)) {
          files.add(std::move(file), static_cast<int64_t>(i));
        }
      }
    }
    if (files.paths.size() == before) {
      empty.push_back(classes[i]);
    }
  }
  OPTOTORCH_CHECK(empty.empty() || allow_empty, .where = set, .argument = folder,
                  .expected = c10::str("a file of each class (", filter.text, ")"),
                  .got = "none for " + c10::Join(", ", empty),
                  .remedy = "Add files, remove the folders, or allow empty classes");
  return files;
}

}  // namespace optotorch
