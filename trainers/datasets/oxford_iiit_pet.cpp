#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/oxford_iiit_pet.h>

#include <algorithm>
#include <map>
#include <utility>

namespace optotorch {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// "great_pyrenees" as "Great Pyrenees".
std::string title(std::string name) {
  for (size_t i = 0; i < name.size(); ++i) {
    const bool first = i == 0 || !is_letter(name[i - 1]);
    if (is_letter(name[i])) {
      name[i] = static_cast<char>(first ? name[i] & ~0x20 : name[i] | 0x20);
    }
  }
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

ImageFileSet read_oxford_iiit_pet(const std::string& root, const std::string& split,
                                  const std::string& target_type) {
  check_choice("OxfordIIITPet", "split", split, {"trainval", "test"});
  check_choice("OxfordIIITPet", "target_type", target_type, {"category", "binary-category"});
  const auto images = join(root, {"oxford-iiit-pet", "images"}),
             lists = join(root, {"oxford-iiit-pet", "annotations"});
  check_folders("OxfordIIITPet", {images, lists}, "root");
  const auto list = join(lists, {split + ".txt"});
  const auto lines = read_lines("OxfordIIITPet", list);
  const bool binary = target_type == "binary-category";
  std::map<int64_t, std::string> breeds;
  LabelledFiles files;
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto words = words_of(lines[i]);
    if (words.size() != 4) {
      refuse_line("OxfordIIITPet", list, i + 1, "an image and three numbers", lines[i]);
    }
    const int64_t label = number_of("OxfordIIITPet", list, i + 1, words[1]) - 1;
    const int64_t species = number_of("OxfordIIITPet", list, i + 1, words[2]) - 1;
    const auto breed = words[0].substr(0, words[0].rfind('_'));
    if (label < 0 || species < 0 || species > 1 || breeds.emplace(label, breed).first->second != breed) {
      refuse_line("OxfordIIITPet", list, i + 1, "one breed for each number, and a cat (1) or a dog (2)",
                  lines[i]);
    }
    files.add(inside("OxfordIIITPet", list, images, words[0] + ".jpg"), binary ? species : label);
  }
  if (binary) {
    return make_set("OxfordIIITPet", std::move(files), {"Cat", "Dog"}, ImageFileMode::rgb);
  }
  std::vector<std::string> classes;
  for (const auto& [label, breed] : breeds) {
    classes.push_back(title(breed));
  }
  const auto highest = breeds.empty() ? 0 : breeds.rbegin()->first + 1;
  OPTOTORCH_CHECK(highest == static_cast<int64_t>(classes.size()), .where = "OxfordIIITPet", .argument = list,
                  .expected = "breeds numbered from 1 without a gap",
                  .got = c10::str(classes.size(), " breeds with numbers up to ", highest));
  return make_set("OxfordIIITPet", std::move(files), std::move(classes), ImageFileMode::rgb);
}

}  // namespace

OxfordIIITPet::OxfordIIITPet(const std::string& root, const std::string& split,
                             const std::string& target_type)
    : ImageFileSet(read_oxford_iiit_pet(root, split, target_type)) {}

}  // namespace optotorch
