#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Ten classes of ImageNet that are easily told apart (https://github.com/fastai/imagenette).
class Imagenette : public ImageFileSet {
 public:
  /// Reads `root`/imagenette2, imagenette2-320 or imagenette2-160 (size: "full", "320px",
  /// "160px")/SPLIT/WNID/*.jpeg; split: "train" or "val". Class names are torchvision's, synonyms joined by
  /// ", ": "tench, Tinca tinca". Throws c10::ValueError for another split or size, for a folder that is
  /// none of the ten, and as ImageFolder does; if the folder is missing, it says how to get it.
  explicit Imagenette(const std::string& root, const std::string& split = "train",
                      const std::string& size = "full");
};

}  // namespace optotorch
