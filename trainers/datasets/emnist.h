#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Handwritten letters and digits of NIST's special database 19 in the form of MNIST (Cohen, Afshar, Tapson,
/// van Schaik, arXiv:1702.05373).
///
/// | split | training | test | classes |
/// | --- | --- | --- | --- |
/// | byclass | 697,932 | 116,323 | 62: digits, capitals, small letters |
/// | bymerge | 697,932 | 116,323 | 47: the small c i j k l m o p s u v w x y z count as capitals |
/// | balanced | 112,800 | 18,800 | the same 47, equally many of each |
/// | letters | 124,800 | 20,800 | labels 1 to 26, capitals and small letters alike |
/// | digits | 240,000 | 40,000 | 10, equally many of each |
/// | mnist | 60,000 | 10,000 | 10 |
///
/// As on disk, and as in torchvision: every image is transposed (images().transpose(2, 3) shows it upright),
/// and the letters' labels begin with 1, so that the split has 27 class names of which the first, "N/A", is
/// never used.
class EMNIST : public ImageSet {
 public:
  /// Choice of classes and samples: a row of the table above.
  enum class Split { byclass, bymerge, balanced, letters, digits, mnist };

  /// Reads emnist-SPLIT-train- or -test-images-idx3-ubyte and -labels-idx1-ubyte, plain or .gz, from
  /// `root`/EMNIST/raw or `root`. Throws c10::ValueError as read_idx_image_set does (idx_image_set.h).
  EMNIST(const std::string& root, Split split, Mode mode = Mode::train);
};

/// "byclass", "balanced", ...
std::string to_string(EMNIST::Split split);

}  // namespace optotorch
