#pragma once

#include <optotorch/trainers/datasets/dataset_folder.h>

#include <string>

namespace optotorch {

/// DatasetFolder with the endings of pictures: .jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp, as
/// torchvision's ImageFolder. TIFF and WebP are listed, but cannot be read (image_file.h).
class ImageFolder : public DatasetFolder {
 public:
  /// Throws c10::ValueError as DatasetFolder does.
  explicit ImageFolder(const std::string& root, DatasetFolderOptions options = {});

 protected:
  /// Takes a set whose files a derived class has found.
  explicit ImageFolder(ImageFileSet set) : DatasetFolder(std::move(set)) {}
};

}  // namespace optotorch
