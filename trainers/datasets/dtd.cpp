#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/dtd.h>

#include <set>
#include <utility>

namespace optotorch {
namespace {

ImageFileSet read_dtd(const std::string& root, const std::string& split, int64_t partition) {
  check_choice("DTD", "split", split, {"train", "val", "test"});
  OPTOTORCH_CHECK(partition >= 1 && partition <= 10, .where = "DTD", .argument = "partition",
                  .expected = "1 to 10", .got = std::to_string(partition));
  const auto data = join(root, {"dtd", "dtd"});
  check_folders("DTD", {data}, "root");
  const auto list = join(data, {"labels", split + std::to_string(partition) + ".txt"});
  const auto lines = read_lines("DTD", list);
  std::set<std::string> classes;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (split_at(lines[i], '/').size() != 2) {
      refuse_line("DTD", list, i + 1, "CLASS/FILE", lines[i]);
    }
    classes.insert(split_at(lines[i], '/')[0]);
  }
  LabelledFiles files;
  for (const auto& line : lines) {
    const auto target = std::distance(classes.begin(), classes.find(split_at(line, '/')[0]));
    files.add(inside("DTD", list, join(data, {"images"}), line), target);
  }
  return make_set("DTD", std::move(files), {classes.begin(), classes.end()}, ImageFileMode::rgb);
}

}  // namespace

DTD::DTD(const std::string& root, const std::string& split, int64_t partition)
    : ImageFileSet(read_dtd(root, split, partition)) {}

}  // namespace optotorch
