#pragma once

#include <optotorch/trainers/datasets/image_file_set.h>

#include <string>

namespace optotorch {

/// German traffic signs: 26,640 + 12,630 photographs of 43 signs (Stallkamp, Schlipsing, Salmen, Igel,
/// Neural Networks 32, 323, 2012).
class GTSRB : public ImageFileSet {
 public:
  /// Reads `root`/gtsrb/GTSRB/Training/CLASS/*.ppm (split "train"), or GTSRB/Final_Test/Images by the order
  /// of `root`/gtsrb/GT-final_test.csv ("test"). Class names are the folders', "00000" to "00042". Throws
  /// c10::ValueError for another split, if the list is damaged, and as ImageFolder does; if the folder is
  /// missing, it says how to get it.
  explicit GTSRB(const std::string& root, const std::string& split = "train");
};

}  // namespace optotorch
