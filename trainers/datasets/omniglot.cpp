#include <optotorch/trainers/datasets/detail/class_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/omniglot.h>

#include <utility>

namespace optotorch {
namespace {

ImageFileSet read_omniglot(const std::string& root, bool background) {
  const auto folder = join(root, {"omniglot-py", background ? "images_background" : "images_evaluation"});
  check_folders("Omniglot", {folder}, background ? "root" : "root, background=False");
  std::vector<std::string> characters;
  for (const auto& alphabet : find_class_folders("Omniglot", folder)) {
    for (const auto& character : find_class_folders("Omniglot", join(folder, {alphabet}))) {
      characters.push_back(alphabet + "/" + character);
    }
  }
  auto files = list_class_files("Omniglot", folder, characters, ends_in({".png"}));
  return make_set("Omniglot", std::move(files), std::move(characters), ImageFileMode::grey);
}

}  // namespace

Omniglot::Omniglot(const std::string& root, bool background)
    : ImageFileSet(read_omniglot(root, background)) {}

}  // namespace optotorch
