#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/class_folders.h>
#include <optotorch/trainers/datasets/detail/image_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>

#include <utility>

namespace optotorch {

ImageFileSet read_dataset_folder(const std::string& set, const std::string& root,
                                 const DatasetFolderOptions& options, const std::string& remedy) {
  const bool by_function = options.is_valid_file() != nullptr;
  OPTOTORCH_CHECK(by_function == options.extensions().empty(), .where = set,
                  .argument = "extensions, is_valid_file", .expected = "one of the two",
                  .got = by_function ? "both" : "none");
  const FileFilter filter =
      by_function ? FileFilter{options.is_valid_file(), "by is_valid_file"} : ends_in(options.extensions());
  auto classes = find_class_folders(set, root, remedy);
  auto files = list_class_files(set, root, classes, filter, options.allow_empty());
  return make_set(set, std::move(files), std::move(classes), options.mode());
}

std::vector<std::string> image_extensions() {
  return {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"};
}

}  // namespace optotorch
