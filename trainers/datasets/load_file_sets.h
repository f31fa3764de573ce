#pragma once

// Data sets of picture files by name, for programs and configurations.

#include <optotorch/trainers/datasets/image_file_set.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <string>
#include <vector>

namespace optotorch {

/// "image-folder", "imagenet", "imagenette", "food101", "dtd", "flowers102", "oxford-iiit-pet",
/// "fgvc-aircraft", "country211", "rendered-sst2", "gtsrb".
std::vector<std::string> file_set_names();

/// One part of the data set `name` (one of file_set_names()) below `root`. image-folder: class folders in
/// `root`/train, and for the test in `root`/val or, without that, `root`/test. What is tested on: torchvision's
/// split "val" of ImageNet and Imagenette, "test" of the others.
///
/// Throws c10::ValueError, which names the nearest known name, for an unknown one, and as the data set's own
/// class does.
ImageFileSet load_file_set(const std::string& name, const std::string& root, ImageSet::Mode mode);

/// The two parts of a data set.
struct ImageFileSetPair {
  /// Part to train on.
  ImageFileSet train;
  /// Part to test on.
  ImageFileSet test;
};

/// Both parts. Throws c10::ValueError as load_file_set does, and if their classes are not the same.
ImageFileSetPair load_file_sets(const std::string& name, const std::string& root);

}  // namespace optotorch
