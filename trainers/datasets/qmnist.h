#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// MNIST rebuilt from NIST's originals, with the 50,000 test images that MNIST lost (Yadav, Bottou, NeurIPS
/// 2019, arXiv:1905.10498). The target is the digit, column 0 of the eight that the label files have.
class QMNIST : public ImageSet {
 public:
  /// Which images.
  enum class What {
    train,    ///< 60,000, those of MNIST's training set
    test,     ///< 60,000: the next two together
    test10k,  ///< the first 10,000 of `test`, those of MNIST's test set
    test50k,  ///< the other 50,000
    nist,     ///< 402,953: all of NIST's digits, which include those above
  };

  /// Reads qmnist-train-, qmnist-test- or xnist-images-idx3-ubyte and -labels-idx2-int, plain or .gz, from
  /// `root`/QMNIST/raw or `root`. (The xnist files are published as .xz, which torchvision unpacks.)
  /// Throws c10::ValueError as read_idx_image_set does (idx_image_set.h), or if there are no more than
  /// 10,000 test images where 'test10k' or 'test50k' is wanted.
  QMNIST(const std::string& root, What what);

  /// What::train or What::test.
  explicit QMNIST(const std::string& root, Mode mode = Mode::train);
};

/// "train", "test10k", ...
std::string to_string(QMNIST::What what);

}  // namespace optotorch
