#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Small photographs: 50,000 + 10,000 images of 3 x 32 x 32 in 100 classes, which 20 coarse ones group
/// (Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009).
class CIFAR100 : public ImageSet {
 public:
  /// Which labels are the targets.
  enum class Labels {
    fine,   ///< 100, as in torchvision
    coarse  ///< 20
  };

  /// Reads train or test, and the names of the classes from meta, from `root`/cifar-100-python, where
  /// torchvision leaves them; if those are not there, train.bin or test.bin and fine_label_names.txt or
  /// coarse_label_names.txt from `root`/cifar-100-binary; each also from `root` itself. Throws
  /// c10::ValueError as CIFAR10 does (cifar10.h).
  CIFAR100(const std::string& root, Labels labels, Mode mode = Mode::train);

  /// Labels::fine.
  explicit CIFAR100(const std::string& root, Mode mode = Mode::train);

  /// As CIFAR10::verify.
  static void verify(const std::string& root);
};

}  // namespace optotorch
