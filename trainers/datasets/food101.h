#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Dishes: 750 + 250 photographs of each of 101 (Bossard, Guillaumin, Van Gool, ECCV 2014).
class Food101 : public ImageFileSet {
 public:
  /// Reads `root`/food-101/images/CLASS/*.jpg by the order of meta/SPLIT.json; split: "train" or "test".
  /// Throws c10::ValueError for another split and if the list is damaged; if a folder is missing, it says
  /// how to get it.
  explicit Food101(const std::string& root, const std::string& split = "train");
};

}  // namespace optotorch
