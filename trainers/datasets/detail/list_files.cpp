#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/detail/list_files.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

namespace optotorch {
namespace {

namespace fs = std::filesystem;

constexpr auto space = " \t\v\f\r\n";

std::string stripped(const std::string& text) {
  const auto begin = text.find_first_not_of(space);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

}  // namespace

void check_folders(const std::string& set, const std::vector<std::string>& folders,
                   const std::string& arguments) {
  for (const auto& folder : folders) {
    std::error_code error;  // what may not be looked at counts as absent
    OPTOTORCH_CHECK(
        fs::is_directory(folder, error), .where = set, .argument = "root", .expected = "a folder " + folder,
        .got = "no such folder",
        .remedy = c10::str("Get it with torchvision.datasets.", set, "(", arguments, ", download=True)"));
  }
}

void check_choice(const std::string& set, const std::string& argument, const std::string& value,
                  const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) {
    return;
  }
  const auto nearest = nearest_name(value, known);
  reject({.where = set,
          .argument = argument,
          .expected = "one of " + c10::Join(", ", known),
          .got = "'" + value + "'",
          .remedy = nearest.empty() ? "" : "Did you mean '" + nearest + "'?"});
}

std::vector<std::string> read_lines(const std::string& set, const std::string& path) {
  InputFile file = open_regular_file(path, set);
  constexpr uint64_t longest = uint64_t{1} << 30;
  OPTOTORCH_CHECK(file.size() <= longest, .where = set, .argument = path,
                  .expected = c10::str("a list of at most ", longest, " bytes"),
                  .got = std::to_string(file.size()));
  const std::string text = file.rest();
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of("\r\n", begin), text.size());
    lines.push_back(stripped(text.substr(begin, end - begin)));
    begin = end + (text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
  }
  return lines;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (size_t begin = line.find_first_not_of(space); begin != std::string::npos;) {
    const size_t end = line.find_first_of(space, begin);
    words.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(space, end);
  }
  return words;
}

std::vector<std::string> split_at(const std::string& line, char mark) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = line.find(mark, begin);
    parts.push_back(line.substr(begin, end - begin));
    if (end == std::string::npos) {
      return parts;
    }
    begin = end + 1;
  }
}

void refuse_line(const std::string& set, const std::string& path, size_t line, const std::string& expected,
                 const std::string& got) {
  reject({.where = set,
          .argument = c10::str(path, ", line ", line),
          .expected = expected,
          .got = "'" + got.substr(0, 200) + "'",
          .remedy = "The list is damaged; fetch it again"});
}

int64_t number_of(const std::string& set, const std::string& path, size_t line, const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    refuse_line(set, path, line, "a whole number", text);
  }
  return number;
}

std::string inside(const std::string& set, const std::string& list, const std::string& folder,
                   const std::string& relative) {
  const auto parts = split_at(relative, '/');
  const bool sound = std::none_of(parts.begin(), parts.end(), [](const auto& part) {
    return part.empty() || part == "." || part == ".." || part.find('\0') != std::string::npos;
  });
  OPTOTORCH_CHECK(sound, .where = set, .argument = list, .expected = "names of files below " + folder,
                  .got = "'" + relative.substr(0, 200) + "'",
                  .remedy = "The list is damaged; fetch it again");
  return (fs::path(folder) / relative).string();
}

std::string join(const std::string& folder, std::initializer_list<std::string> names) {
  fs::path path(folder);
  for (const auto& name : names) {
    path /= name;
  }
  return path.string();
}

ImageFileSet make_set(const std::string& set, LabelledFiles files, std::vector<std::string> class_names,
                      ImageFileMode mode) {
  OPTOTORCH_CHECK(!files.paths.empty(), .where = set, .argument = "root", .expected = "at least one image",
                  .got = "none");
  return {set, std::move(files.paths), at::tensor(files.targets, at::kLong), std::move(class_names), mode};
}

}  // namespace optotorch
