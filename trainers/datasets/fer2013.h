#pragma once

#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Faces: 28,709 + 7,178 images of 48 x 48 in 7 classes, "angry", "disgust", "fear", "happy", "sad",
/// "surprise", "neutral" (Goodfellow et al., arXiv:1307.0414).
class FER2013 : public ImageSet {
 public:
  /// Reads, from `root`/fer2013, where torchvision looks for them, or `root`, the first that is there:
  /// fer2013.csv, icml_face_data.csv, or train.csv or test.csv. The first two hold both parts (to test on are
  /// PublicTest and PrivateTest). test.csv has no labels: every target is then -1, and labelled() false.
  ///
  /// Throws c10::ValueError if none is there (naming where to get them), or if one does not hold what it
  /// should.
  explicit FER2013(const std::string& root, Mode mode = Mode::train);

  /// Compares the MD5 of the file that would be read with the one that is published, as torchvision does
  /// whenever it opens the set. Throws c10::ValueError if it is missing or another, naming the file and both
  /// sums.
  static void verify(const std::string& root, Mode mode);
};

/// A file of the set that is open, or its bytes in memory. If it has a column Usage, the rows of `mode`, else
/// all; without a column emotion, unlabelled.
ImageSet read_fer2013(InputFile file, ImageSet::Mode mode);

}  // namespace optotorch
