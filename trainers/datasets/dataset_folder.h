#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>
#include <torch/arg.h>

#include <functional>
#include <string>
#include <vector>

namespace optotorch {

/// Options for DatasetFolder and ImageFolder.
struct DatasetFolderOptions {
  /// Endings of the names that count, in small letters; those of the files are compared as if they were, too.
  /// Empty: ImageFolder's, unless is_valid_file is given.
  TORCH_ARG(std::vector<std::string>, extensions);
  /// Says of a path whether it counts. Either this or extensions.
  TORCH_ARG(std::function<bool(const std::string& path)>, is_valid_file);
  /// Takes a folder without any file for a class; otherwise it is an error.
  TORCH_ARG(bool, allow_empty) = false;
  /// Colour or grey.
  TORCH_ARG(ImageFileMode, mode) = ImageFileMode::rgb;
};

/// Images in a folder for each class: `root`/CLASS/.../FILE, as torchvision's DatasetFolder finds them.
///
/// The classes are the sorted names of the folders in `root`. Samples come by class, within a class by the
/// sorted paths of the folders, in a folder by the sorted names of the files; sorting is by bytes. Links to
/// folders are followed.
class DatasetFolder : public ImageFileSet {
 public:
  /// Throws c10::ValueError if `root` cannot be read or has no folder, for classes without a file (unless
  /// allowed), if there is no file at all, for a link to a folder that it lies in, and unless one of
  /// extensions and is_valid_file is given.
  DatasetFolder(const std::string& root, const DatasetFolderOptions& options);

 protected:
  /// Takes a set whose files a derived class has found.
  explicit DatasetFolder(ImageFileSet set) : ImageFileSet(std::move(set)) {}
};

}  // namespace optotorch
