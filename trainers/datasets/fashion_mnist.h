#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Articles of clothing: 60,000 + 10,000 images of 28 x 28 in 10 classes (Xiao, Rasul, Vollgraf,
/// arXiv:1708.07747).
class FashionMNIST : public ImageSet {
 public:
  /// Reads train- or t10k-images-idx3-ubyte and -labels-idx1-ubyte, plain or .gz, from
  /// `root`/FashionMNIST/raw or `root`; where `root` has none, from /usr/share/datasets/fashion-mnist, where
  /// Debian's package dataset-fashion-mnist puts them. Throws c10::ValueError as read_idx_image_set does
  /// (idx_image_set.h).
  explicit FashionMNIST(const std::string& root, Mode mode = Mode::train);
};

}  // namespace optotorch
