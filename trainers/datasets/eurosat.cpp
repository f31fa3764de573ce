#include <optotorch/trainers/datasets/detail/image_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/eurosat.h>

#include <utility>

namespace optotorch {
namespace {

ImageFileSet read_eurosat(const std::string& root) {
  const auto folder = join(root, {"eurosat", "2750"});
  check_folders("EuroSAT", {folder}, "root");
  return read_dataset_folder("EuroSAT", folder, DatasetFolderOptions().extensions(image_extensions()));
}

}  // namespace

EuroSAT::EuroSAT(const std::string& root) : ImageFileSet(read_eurosat(root)) {}

}  // namespace optotorch
