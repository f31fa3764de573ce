#pragma once

// Sets that are folders of classes.

#include <optotorch/trainers/datasets/dataset_folder.h>

#include <string>
#include <vector>

namespace optotorch {

/// DatasetFolder(root, options), under another name in errors.
ImageFileSet read_dataset_folder(const std::string& set, const std::string& root,
                                 const DatasetFolderOptions& options, const std::string& remedy = {});

/// .jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp: torchvision's. The last three are listed, but
/// not read.
std::vector<std::string> image_extensions();

}  // namespace optotorch
