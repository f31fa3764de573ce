#pragma once

#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// House numbers in photographs: images of 3 x 32 x 32 around a digit, in 10 classes (Netzer, Wang, Coates,
/// Bissacco, Wu, Ng, NIPS Workshop on Deep Learning 2011).
class SVHN : public ImageSet {
 public:
  /// Part of the set, with its number of images.
  enum class Split {
    train,  ///< 73,257
    test,   ///< 26,032
    extra   ///< 531,131 easier ones, to train on; 1.6 GB
  };

  /// Reads train_32x32.mat, test_32x32.mat or extra_32x32.mat from `root`. The files label a 0 with 10, the
  /// targets with 0, as torchvision's do; the classes are "0" to "9". Throws c10::ValueError if the file is
  /// not there (naming where to get it), or does not hold what it should.
  SVHN(const std::string& root, Split split);

  /// Split::train or Split::test.
  explicit SVHN(const std::string& root, Mode mode = Mode::train);

  /// Compares the MD5 of the file with the one that is published, as torchvision does whenever it opens the
  /// set. Throws c10::ValueError if it is missing or another, naming the file and both sums.
  static void verify(const std::string& root, Split split);
};

/// "train", "test", "extra".
std::string to_string(SVHN::Split split);

/// A file of the set that is open, or its bytes in memory.
ImageSet read_svhn(InputFile file);

}  // namespace optotorch
