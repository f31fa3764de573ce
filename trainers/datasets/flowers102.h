#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Flowers: 102 classes of 40 to 258 photographs; 1,020 + 1,020 + 6,149 (Nilsback, Zisserman, ICVGIP 2008).
class Flowers102 : public ImageFileSet {
 public:
  /// Reads `root`/flowers-102/jpg/image_00001.jpg, ... by the order of setid.mat, with the classes of
  /// imagelabels.mat; split: "train", "val" or "test". Throws c10::ValueError for another split and if a
  /// list is damaged; if the folder is missing, it says how to get it.
  explicit Flowers102(const std::string& root, const std::string& split = "train");
};

}  // namespace optotorch
