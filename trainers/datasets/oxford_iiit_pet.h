#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Cats and dogs of 37 breeds, some 200 photographs of each (Parkhi, Vedaldi, Zisserman, Jawahar, CVPR 2012).
class OxfordIIITPet : public ImageFileSet {
 public:
  /// Reads `root`/oxford-iiit-pet/images/*.jpg by the order of annotations/SPLIT.txt; split: "trainval" or
  /// "test"; target_type: "category" (the breed) or "binary-category" ("Cat", "Dog"). Throws
  /// c10::ValueError for another split or type and if the list is damaged; if a folder is missing, it says
  /// how to get it.
  explicit OxfordIIITPet(const std::string& root, const std::string& split = "trainval",
                         const std::string& target_type = "category");
};

}  // namespace optotorch
