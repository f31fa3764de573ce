#include <optotorch/trainers/datasets/detail/image_folders.h>
#include <optotorch/trainers/datasets/image_folder.h>

namespace optotorch {
namespace {

ImageFileSet read_image_folder(const std::string& root, DatasetFolderOptions options) {
  if (options.extensions().empty() && options.is_valid_file() == nullptr) {
    options.extensions(image_extensions());
  }
  return read_dataset_folder("ImageFolder", root, options);
}

}  // namespace

ImageFolder::ImageFolder(const std::string& root, DatasetFolderOptions options)
    : DatasetFolder(read_image_folder(root, std::move(options))) {}

}  // namespace optotorch
