#include <optotorch/trainers/datasets/caltech101.h>
#include <optotorch/trainers/datasets/detail/class_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>

#include <utility>

namespace optotorch {
namespace {

ImageFileSet read_caltech101(const std::string& root) {
  const auto folder = join(root, {"caltech101", "101_ObjectCategories"});
  check_folders("Caltech101", {folder}, "root");
  auto classes = find_class_folders("Caltech101", folder);
  std::erase(classes, "BACKGROUND_Google");
  LabelledFiles files;
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto category = join(folder, {classes[i]});
    const int64_t images = count_entries("Caltech101", category);
    for (int64_t image = 1; image <= images; ++image) {
      const auto number = std::to_string(image);
      const std::string zeros(number.size() < 4 ? 4 - number.size() : 0, '0');
      files.add(join(category, {"image_" + zeros + number + ".jpg"}), static_cast<int64_t>(i));
    }
  }
  return make_set("Caltech101", std::move(files), std::move(classes), ImageFileMode::rgb);
}

}  // namespace

Caltech101::Caltech101(const std::string& root) : ImageFileSet(read_caltech101(root)) {}

}  // namespace optotorch
