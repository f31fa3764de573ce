#pragma once

#include <torch/types.h>

#include <cstdint>
#include <utility>

namespace optotorch {

/// Some samples and what is expected of them: data [batch, ...], target [batch] or [batch, ...].
struct Batch {
  torch::Tensor data,  ///< row k is sample k
      target;          ///< row k is what is expected of sample k
};

/// First and number of those of n things that make up part `part` of `parts`; no two parts differ by more than one.
/// Throws c10::ValueError unless 0 <= part < parts.
std::pair<int64_t, int64_t> part_of(int64_t n, int64_t part, int64_t parts);

/// Where a Trainer gets its data. Batch k of epoch e is a pure function of (e, k): that is what lets a run
/// resume in the middle of an epoch with the same bits.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Batches in an epoch.
  virtual int64_t size() const = 0;

  /// Batch `index` in [0, size()) of epoch `epoch` >= 0.
  virtual Batch batch(int64_t epoch, int64_t index) const = 0;

  /// Part `part` of `parts` of that batch: of its n samples those from floor(part n / parts) to
  /// floor((part + 1) n / parts), none if there are too few. By default cut out of the whole batch; a source that
  /// makes samples one by one makes these alone.
  virtual Batch part(int64_t epoch, int64_t index, int64_t part, int64_t parts) const;
};

}  // namespace optotorch
