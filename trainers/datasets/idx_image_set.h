#pragma once

// Common base of the data sets of the MNIST family: two idx files in a folder.

#include <optotorch/trainers/datasets/image_set.h>

#include <string>
#include <vector>

namespace optotorch {

/// Where a part of a data set of 28 x 28 images lies, and what its labels mean.
struct IdxImageFiles {
  std::string data_set;                  ///< name and folder, as in torchvision: "MNIST"
  std::string images;                    ///< file name without .gz: uint8 [N, 28, 28]
  std::string labels;                    ///< file name without .gz: uint8 [N], or int32 [N, label_columns]
  std::vector<std::string> class_names;  ///< by label
  std::string download;                  ///< how to get it, "torchvision.datasets.MNIST(root, download=True)"
  int64_t first_label = 0;               ///< the least label that is in use
  std::string system_folder = {};        ///< looked into where `root` has no idx file; empty: none
  int64_t label_columns = 0;  ///< 0: uint8 [N]; otherwise the label is column 0 of int32 [N, columns]
};

/// Reads both files, plain or .gz, from `root`/`data_set`/raw, where torchvision leaves them, or from
/// `root`/`data_set`, `root`/raw or `root` itself; if no such place has any idx file, from `system_folder`,
/// where a package may have put them. Variants of the names count: data_files.h.
///
/// Throws c10::ValueError if they are in no such place (naming what was looked for and where to get it), if
/// one is no sound idx file, or if it does not hold what it should: type, size of the images, equally many
/// images and labels, labels that name a class.
ImageSet read_idx_image_set(const std::string& root, const IdxImageFiles& files);

/// "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", ...: names used by MNIST, FashionMNIST and KMNIST.
IdxImageFiles classic_files(const std::string& data_set, ImageSet::Mode mode,
                            std::vector<std::string> class_names);

/// "0 - zero", ..., "9 - nine": what torchvision calls the digits.
std::vector<std::string> digit_names();

}  // namespace optotorch
