#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Aircraft: 100 photographs of each of 100 variants, which belong to 70 families of 30 manufacturers (Maji
/// et al., arXiv:1306.5151).
class FGVCAircraft : public ImageFileSet {
 public:
  /// Reads `root`/fgvc-aircraft-2013b/data/images/*.jpg by the order of images_LEVEL_SPLIT.txt; split:
  /// "train", "val", "trainval" or "test"; annotation_level: "variant", "family" or "manufacturer", whose
  /// names are in variants.txt, families.txt and manufacturers.txt. Throws c10::ValueError for another
  /// split or level and if a list is damaged; if the folder is missing, it says how to get it.
  explicit FGVCAircraft(const std::string& root, const std::string& split = "trainval",
                        const std::string& annotation_level = "variant");
};

}  // namespace optotorch
