#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// Handwritten characters of 30 + 20 alphabets, each drawn by 20 people; 105 x 105, grey (Lake,
/// Salakhutdinov, Tenenbaum, Science 350, 1332, 2015).
class Omniglot : public ImageFileSet {
 public:
  /// Reads `root`/omniglot-py/images_background (or images_evaluation)/ALPHABET/CHARACTER/*.png. A class is
  /// a character: "Greek/character01". Everything is sorted; torchvision takes what the disk gives first.
  /// Throws c10::ValueError as ImageFolder does; if the folder is missing, it says how to get it.
  explicit Omniglot(const std::string& root, bool background = true);
};

}  // namespace optotorch
