#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Kuzushiji-MNIST, cursive Japanese characters: 60,000 + 10,000 images of 28 x 28 in 10 classes (Clanuwat et
/// al., arXiv:1812.01718).
class KMNIST : public ImageSet {
 public:
  /// Reads train- or t10k-images-idx3-ubyte and -labels-idx1-ubyte, plain or .gz, from `root`/KMNIST/raw or
  /// `root`. Throws c10::ValueError as read_idx_image_set does (idx_image_set.h).
  explicit KMNIST(const std::string& root, Mode mode = Mode::train);
};

}  // namespace optotorch
