#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Textures that words describe: 47 classes of 120 photographs, in three equal splits (Cimpoi et al., CVPR
/// 2014).
class DTD : public ImageFileSet {
 public:
  /// Reads `root`/dtd/dtd/images/CLASS/* by the order of labels/SPLITPARTITION.txt; split: "train", "val"
  /// or "test", partition: 1 to 10. Classes are those that the list has. Throws c10::ValueError for another
  /// split or partition and if the list is damaged; if the folder is missing, it says how to get it.
  explicit DTD(const std::string& root, const std::string& split = "train", int64_t partition = 1);
};

}  // namespace optotorch
