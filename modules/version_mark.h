#pragma once

#include <c10/core/TensorImpl.h>
#include <torch/types.h>

#include <cstdint>

namespace optotorch {

/// Where a tensor's version counter stood, which tells later whether the tensor was changed in place: what
/// LibTorch's autograd keeps of everything it saves. It holds the counter and no data. A tensor made in
/// c10::InferenceMode has no counter and never counts as changed.
class VersionMark {
 public:
  /// Marks where a tensor's counter stands now.
  explicit VersionMark(const torch::Tensor& tensor)
      : counter_(tensor.unsafeGetTensorImpl()->version_counter()), version_(current()) {}

  /// True if the tensor has been changed in place since.
  bool is_passed() const { return current() != version_; }

 private:
  uint32_t current() const { return counter_.enabled() ? counter_.current_version() : 0; }

  c10::VariableVersion counter_;
  uint32_t version_;
};

}  // namespace optotorch
