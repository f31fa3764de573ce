#pragma once

// CIFAR-10 and CIFAR-100 on disk, in both forms that are published.

#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <string>
#include <utility>
#include <vector>

namespace optotorch {

/// Where a part lies, and what its labels are called.
struct CifarFiles {
  std::string data_set;       ///< "CIFAR10"
  std::string python_folder;  ///< "cifar-10-batches-py"
  std::string binary_folder;  ///< "cifar-10-batches-bin"
  std::string python_archive, binary_archive;
  std::vector<std::string> batches;  ///< files of the part in the Python version; .bin in the binary one
  std::string meta;                  ///< the Python version's file of names
  std::string names;                 ///< the binary version's file of names
  std::string label_key, name_key;   ///< in the dictionaries of the Python version
  size_t label_bytes, label_byte;  ///< labels before an image in the binary version, and which one is wanted
};

/// Images and labels of some samples, not yet held against any names.
using CifarBatch = std::pair<at::Tensor, at::Tensor>;  // uint8 [N, 3, 32, 32], int64 [N]

/// A file of the Python version: a pickle of a dictionary with 'data', uint8 [N, 3072], and a list of N
/// labels. Throws c10::ValueError, which names the file, for anything else.
CifarBatch read_cifar_pickle(InputFile file, const std::string& label_key);

/// A file of the binary version: records of `label_bytes` labels and 3072 bytes, of which label number
/// `label_byte` is taken. Throws c10::ValueError, which names the file, unless it is one or more whole records.
CifarBatch read_cifar_binary(InputFile file, size_t label_bytes, size_t label_byte);

/// The whole part, from the Python version or else from the binary one. Throws c10::ValueError if neither is
/// there (naming what was looked for and where to get it), and as the readers do.
ImageSet read_cifar(const std::string& root, const CifarFiles& files);

}  // namespace optotorch
