#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/md5.h>
#include <optotorch/trainers/datasets/detail/set_files.h>

#include <filesystem>

namespace optotorch {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;  // what may not be looked at counts as absent
  return fs::exists(path, error);
}

std::vector<fs::path> folders_of(const std::string& root, const SetPlace& place) {
  if (place.folder.empty()) {
    return {root};
  }
  return {fs::path(root) / place.folder, root};
}

std::vector<std::string> missing_in(const fs::path& folder, const SetPlace& place) {
  std::vector<std::string> missing;
  for (const auto& file : place.files) {
    if (!is_there(folder / file)) {
      missing.push_back(file);
    }
  }
  return missing;
}

/// "DIR/x.tar.gz lies there packed: unpack it. ", or nothing.
std::string about_archives(const std::string& root, const std::vector<SetPlace>& places) {
  for (const auto& place : places) {
    for (const auto& folder : folders_of(root, place)) {
      const fs::path archive = folder / place.archive;
      if (!place.archive.empty() && is_there(archive)) {
        return c10::str(archive.string(), " lies there packed: unpack it with tar -xf ", archive.string(),
                        " -C ", root, ". Or: ");
      }
    }
  }
  return "";
}

}  // namespace

std::string FoundSet::path(const std::string& file) const {
  return (fs::path(folder) / file).string();
}

FoundSet find_set(const std::string& data_set, const std::string& root, const std::vector<SetPlace>& places,
                  const std::string& remedy) {
  std::string got = "no such files";
  std::vector<std::string> wanted;
  for (size_t k = 0; k < places.size(); ++k) {
    const auto& place = places[k];
    for (const auto& folder : folders_of(root, place)) {
      const auto missing = missing_in(folder, place);
      if (missing.empty()) {
        return {k, folder.string()};
      }
      if (missing.size() < place.files.size()) {
        got = c10::str(folder.string(), " without ", c10::Join(", ", missing));
      }
    }
    wanted.push_back(
        c10::str(c10::Join(", ", place.files), " in ", folders_of(root, place).front().string()));
  }
  reject({.where = data_set,
          .argument = "root",
          .expected = c10::Join("; or ", wanted),
          .got = got,
          .remedy = about_archives(root, places) + remedy});
}

void verify_set(const std::string& data_set, const std::string& root, SetPlace place,
                const std::vector<PublishedSum>& sums, const std::string& remedy) {
  place.files.clear();
  for (const auto& sum : sums) {
    place.files.push_back(sum.file);
  }
  const auto found = find_set(data_set, root, {place}, remedy);
  for (const auto& [file, expected] : sums) {
    const auto path = found.path(file);
    const auto actual = md5_of(open_regular_file(path, "verify"));
    OPTOTORCH_CHECK(actual == expected, .where = path, .argument = "MD5", .expected = expected, .got = actual,
                    .remedy = "The file is damaged or not the published one. " + remedy);
  }
}

std::vector<std::string> numbered_names(int64_t count) {
  std::vector<std::string> names;
  for (int64_t number = 0; number < count; ++number) {
    names.push_back(std::to_string(number));
  }
  return names;
}

std::vector<std::string> read_names(const std::string& path) {
  InputFile file = open_regular_file(path, "data");
  constexpr uint64_t most = 1 << 20;
  OPTOTORCH_CHECK(file.size() <= most, .where = path, .argument = "length",
                  .expected = c10::str("at most ", most, " bytes of names"), .got = c10::str(file.size()));
  const std::string text = file.rest();
  std::vector<std::string> names(1);
  for (const char c : text) {
    if (c == '\n') {
      names.emplace_back();
    } else if (c != '\r') {
      names.back() += c;
    }
  }
  while (!names.empty() && names.back().empty()) {
    names.pop_back();
  }
  OPTOTORCH_CHECK(!names.empty(), .where = path, .argument = "names", .expected = "one a line",
                  .got = "an empty file");
  for (const auto& name : names) {
    OPTOTORCH_CHECK(!name.empty(), .where = path, .argument = "names", .expected = "one a line",
                    .got = "an empty line between others");
  }
  return names;
}

}  // namespace optotorch
