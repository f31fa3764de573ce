#pragma once

#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Handwritten digits, black and white: 1,593 images of 16 x 16 in 10 classes (Buscema, Terzi, UCI Machine
/// Learning Repository, 1994). The set has one part; split (split.h) makes two of it.
class SEMEION : public ImageSet {
 public:
  /// Reads semeion.data, a text, from `root`, where torchvision leaves it: ink is 255. Throws c10::ValueError
  /// if the file is not there (naming where to get it), or does not hold what it should.
  explicit SEMEION(const std::string& root);

  /// Compares the MD5 of the file with the one that is published, as torchvision does whenever it opens the
  /// set. Throws c10::ValueError if it is missing or another, naming the file and both sums.
  static void verify(const std::string& root);
};

/// A file of the set that is open, or its bytes in memory: lines of 256 values from 0 to 1 and 10 numbers of
/// which one, that of the class, is not 0. At most 64 MiB.
ImageSet read_semeion(InputFile file);

}  // namespace optotorch
