#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/dataset_folder.h>
#include <optotorch/trainers/datasets/detail/image_folders.h>

namespace optotorch {

DatasetFolder::DatasetFolder(const std::string& root, const DatasetFolderOptions& options)
    : ImageFileSet(read_dataset_folder("DatasetFolder", root, options)) {}

}  // namespace optotorch
