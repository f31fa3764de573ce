#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <cstdint>
#include <optional>
#include <string>

namespace optotorch {

/// Photographs of 3 x 96 x 96 in 10 classes, few of them labelled (Coates, Lee, Ng, AISTATS 2011).
class STL10 : public ImageSet {
 public:
  /// Part of the set, with its number of images.
  enum class Split {
    train,           ///< 5,000
    test,            ///< 8,000
    unlabeled,       ///< 100,000 with target -1; 2.8 GB
    train_unlabeled  ///< both, the labelled ones first
  };

  /// Reads train_X.bin, train_y.bin, test_X.bin, test_y.bin, unlabeled_X.bin, class_names.txt and
  /// fold_indices.txt, as far as the split needs them, from `root`/stl10_binary, where torchvision leaves
  /// them, or `root`. `fold`, 0 to 9: of the 5,000 only those of that fold, in its order.
  ///
  /// The files store images by columns and labels from 1; images() are upright and targets() from 0. Where
  /// images have no label their target is -1, and labelled() is false. Throws c10::ValueError if the files are
  /// not there (naming where to get them), if one does not hold what it should, or for another fold or one of
  /// a split without training images.
  STL10(const std::string& root, Split split, std::optional<int64_t> fold = std::nullopt);

  /// Split::train or Split::test.
  explicit STL10(const std::string& root, Mode mode = Mode::train);

  /// Compares the MD5 of the five .bin files with those that are published, as torchvision does whenever it
  /// opens the set. Throws c10::ValueError for the first that is missing or another, naming the file and both
  /// sums.
  static void verify(const std::string& root);
};

/// "train", "test", "unlabeled", "train+unlabeled".
std::string to_string(STL10::Split split);

}  // namespace optotorch
