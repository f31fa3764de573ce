#pragma once

// Content of a TorchScript file, without running it.
//
// TorchScript is a program: whoever loads such a file, by torch::jit::load or torch.jit.load, runs code of
// whoever wrote it (a module's __setstate__, at once), which may read and write files. This only looks.

#include <ATen/core/Tensor.h>
#include <optotorch/modules/export/detail/zip_records.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// A tensor as the file describes it. All of it has been checked: it lies within its storage, and the storage
/// within the file.
struct ArchivedTensor {
  std::string name;  ///< the attributes that lead to it, "layer1.matrix_transposed"
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> sizes, strides;
  int64_t offset = 0;                        ///< in elements of the storage
  std::string device;                        ///< "cpu", "cuda:0"; of "meta" no values are in the file
  bool conjugated = false, negated = false;  ///< the values stand for their conjugates, their negatives
  std::string record;                        ///< of the storage
  int64_t storage_elements = 0;

  int64_t elements() const;
  /// "complex64 [2, 3]", and what else there is to say.
  std::string description() const;
};

/// The tensors of a TorchScript file, as PyTorch 1.6 and later and LibTorch write it: a zip file without
/// compression with data.pkl, constants.pkl and a record for each storage.
class TorchScriptArchive {
 public:
  /// Reads names and shapes. Nothing is executed, and no memory is taken beyond a small multiple of the
  /// file's pickles, which are at most 64 MiB. Throws c10::ValueError, naming the file and what is wrong.
  explicit TorchScriptArchive(const std::string& path);
  explicit TorchScriptArchive(InputFile file);

  /// Parameters, buffers and other tensors of the modules, and the constants of their code ("constants.0"),
  /// sorted by name. A module that has two names stands under one of them.
  const std::vector<ArchivedTensor>& tensors() const { return tensors_; }

  /// The elements of one of them in row-major order, as the bytes that stand in the file: uint8 [bytes].
  /// A tensor that repeats its storage's elements takes more memory than the file. None on device meta.
  at::Tensor bytes(const ArchivedTensor& tensor);

  /// Length of the file.
  uint64_t size() const { return records_.size(); }

 private:
  ZipRecords records_;
  std::vector<ArchivedTensor> tensors_;
};

}  // namespace optotorch
