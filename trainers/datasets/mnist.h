#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Handwritten digits: 60,000 + 10,000 images of 28 x 28 in 10 classes (LeCun, Bottou, Bengio, Haffner, Proc.
/// IEEE 86, 2278, 1998). The repository's folder `data` holds a subset of 6,000 + 1,000.
class MNIST : public ImageSet {
 public:
  /// Reads train- or t10k-images-idx3-ubyte and -labels-idx1-ubyte, plain or .gz, from `root`/MNIST/raw or
  /// `root`. Throws c10::ValueError as read_idx_image_set does (idx_image_set.h).
  explicit MNIST(const std::string& root, Mode mode = Mode::train);
};

}  // namespace optotorch
