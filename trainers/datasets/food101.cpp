#include <optotorch/core/check.h>
#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/food101.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace optotorch {
namespace {

nlohmann::ordered_json read_list(const std::string& path) {
  InputFile file = open_regular_file(path, "Food101");
  auto list = nlohmann::ordered_json::parse(file.rest(), nullptr, /*allow_exceptions=*/false);
  OPTOTORCH_CHECK(list.is_object(), .where = "Food101", .argument = path,
                  .expected = "JSON: lists of files by class", .got = "something else",
                  .remedy = "The list is damaged; fetch it again");
  return list;
}

ImageFileSet read_food101(const std::string& root, const std::string& split) {
  check_choice("Food101", "split", split, {"train", "test"});
  const auto meta = join(root, {"food-101", "meta"}), images = join(root, {"food-101", "images"});
  check_folders("Food101", {meta, images}, "root");
  const auto list = join(meta, {split + ".json"});
  // Its order is that of the samples.
  const auto names_of_class = read_list(list);
  std::vector<std::string> classes;
  for (const auto& [name, files] : names_of_class.items()) {
    classes.push_back(name);
  }
  std::sort(classes.begin(), classes.end());
  LabelledFiles files;
  for (const auto& [name, names] : names_of_class.items()) {
    const auto target = std::lower_bound(classes.begin(), classes.end(), name) - classes.begin();
    OPTOTORCH_CHECK(names.is_array(), .where = "Food101", .argument = list,
                    .expected = "a list of names for each class", .got = names.type_name());
    for (const auto& file : names) {
      OPTOTORCH_CHECK(file.is_string(), .where = "Food101", .argument = list,
                      .expected = "names of files without .jpg", .got = file.type_name());
      files.add(inside("Food101", list, images, file.get<std::string>() + ".jpg"), target);
    }
  }
  return make_set("Food101", std::move(files), std::move(classes), ImageFileMode::rgb);
}

}  // namespace

Food101::Food101(const std::string& root, const std::string& split)
    : ImageFileSet(read_food101(root, split)) {}

}  // namespace optotorch
