#include <optotorch/trainers/datasets/country211.h>
#include <optotorch/trainers/datasets/detail/image_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>

#include <utility>

namespace optotorch {
namespace {

ImageFileSet read_country211(const std::string& root, const std::string& split) {
  check_choice("Country211", "split", split, {"train", "valid", "test"});
  const auto folder = join(root, {"country211", split});
  check_folders("Country211", {folder}, "root, split='" + split + "'");
  return read_dataset_folder("Country211", folder, DatasetFolderOptions().extensions(image_extensions()));
}

}  // namespace

Country211::Country211(const std::string& root, const std::string& split)
    : ImageFileSet(read_country211(root, split)) {}

}  // namespace optotorch
