#pragma once

#include <optotorch/trainers/datasets/image_set.h>

#include <string>

namespace optotorch {

/// Small photographs: 50,000 + 10,000 images of 3 x 32 x 32 in 10 classes (Krizhevsky, Learning Multiple
/// Layers of Features from Tiny Images, 2009).
class CIFAR10 : public ImageSet {
 public:
  /// Reads data_batch_1 to data_batch_5 or test_batch, and the names of the classes from batches.meta, from
  /// `root`/cifar-10-batches-py, where torchvision leaves them; if those are not there, data_batch_1.bin ...
  /// and batches.meta.txt from `root`/cifar-10-batches-bin, the published binary version; each also from
  /// `root` itself.
  ///
  /// The pickles of the Python version are read as data: nothing in them is called, and whatever a dictionary
  /// of arrays does not need is refused. The archives are not unpacked, the sums not compared: `verify` does
  /// that. Throws c10::ValueError if the files are in no such place (naming what was looked for and where to
  /// get it), or if one does not hold what it should.
  explicit CIFAR10(const std::string& root, Mode mode = Mode::train);

  /// Compares the MD5 of every file of the Python version with the one that is published, as torchvision does
  /// whenever it opens the set. Throws c10::ValueError for the first that is missing or another, naming the
  /// file and both sums.
  static void verify(const std::string& root);
};

}  // namespace optotorch
