#pragma once

#include <torch/types.h>

#include <cstdint>

namespace optotorch {

/// Some samples and what is expected of them: data [batch, ...], target [batch] or [batch, ...].
struct Batch {
  torch::Tensor data, target;
};

/// Where a Trainer gets its data. Batch k of epoch e is a pure function of (e, k): that is what lets a run
/// resume in the middle of an epoch with the same bits.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Batches in an epoch.
  virtual int64_t size() const = 0;

  /// Batch `index` in [0, size()) of epoch `epoch` >= 0.
  virtual Batch batch(int64_t epoch, int64_t index) const = 0;
};

}  // namespace optotorch
